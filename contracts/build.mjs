// Compiles src/**/*.sol, and the stand-in for newer cores, with the pinned solc and writes artifacts/<Contract>.json {contractName,
// abi, bytecode, deployedBytecode}. `--check` writes nothing and fails when a committed artifact differs, is missing or is left over.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

process.chdir(import.meta.dirname);
const solc = createRequire(import.meta.url)('solc');
const check = process.argv.includes('--check');
const outputSelection = { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } };
const settings = { ...JSON.parse(fs.readFileSync('settings.json', 'utf8')), outputSelection };

function load(unit, sources) {
  if (sources[unit]) return sources;
  const file = unit.startsWith('@') ? path.posix.join('node_modules', unit) : unit;
  const content = fs.readFileSync(file, 'utf8');
  sources[unit] = { content };
  for (const [, target] of content.matchAll(/^\s*import\s+(?:[^"';]*?from\s+)?["']([^"']+)["']/gm)) {
    load(target.startsWith('.') ? path.posix.join(path.posix.dirname(unit), target) : target, sources);
  }
  return sources;
}

// Each file is compiled with its own imports and nothing else: what the optimiser does depends on everything that it is
// given, so a new contract would change the bytecode, and so the address, of all others.
const wanted = new Map();
const roots = fs.readdirSync('src', { recursive: true }).filter((f) => f.endsWith('.sol')).map((f) => `src/${f}`).sort();
// Rust tests deploy the stand-in for newer cores, too.
roots.push('test/eigenlayer/NewerCore.sol');
for (const root of roots) {
  // Interfaces and abstract contracts have no code; libraries are compiled into their users.
  if (!/^contract /m.test(fs.readFileSync(root, 'utf8'))) continue;
  const output = JSON.parse(solc.compile(JSON.stringify({ language: 'Solidity', sources: load(root, {}), settings })));
  // 2394 reminds of clearing transient storage, which the guard does.
  for (const e of output.errors ?? []) if (e.errorCode !== '2394') console.error(e.formattedMessage);
  if ((output.errors ?? []).some((e) => e.severity === 'error')) process.exit(1);
  for (const [contractName, c] of Object.entries(output.contracts[root])) {
    const code = { bytecode: `0x${c.evm.bytecode.object}`, deployedBytecode: `0x${c.evm.deployedBytecode.object}` };
    wanted.set(`artifacts/${contractName}.json`, JSON.stringify({ contractName, abi: c.abi, ...code }, null, 1) + '\n');
  }
}

fs.mkdirSync('artifacts', { recursive: true });
const present = fs.readdirSync('artifacts').map((f) => `artifacts/${f}`);
const differing = [];
for (const f of present) {
  if (wanted.has(f)) continue;
  if (check) differing.push(f);
  else fs.rmSync(f);
}
for (const [f, text] of wanted) {
  if (!check) fs.writeFileSync(f, text);
  else if (!present.includes(f) || fs.readFileSync(f, 'utf8') !== text) differing.push(f);
}
if (differing.length > 0) {
  console.error(`not what the sources compile to (run: npm run build): ${differing.join(', ')}`);
  process.exit(1);
}
console.log(`${check ? 'checked' : 'wrote'} ${wanted.size} artifacts, solc ${solc.version()}`);
