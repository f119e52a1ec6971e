#!/usr/bin/env python3
"""EigenLayer's core as creation bytecode, taken out of a published crate.

extract.py            checks that core.json is what the pinned crate holds
extract.py --write    writes core.json

The crate is fetched by cargo, which checks it against the registry's index; this script checks it against its own pin too.
Nothing of it is compiled or run."""

import ast
import glob
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

CRATE, VERSION = "eigenlayer-contract-deployer", "0.4.0"
SHA256 = "df259858472ebcda21942b9994352c9d09ea34c0ab4173e29b0319441082bc51"
# What the crate's own deployment code hands to the contracts as their version, and what they answer.
CORE_VERSION = "v1.3.0"
CONTRACTS = {
    "AllocationManager": "allocation_manager",
    "DelegationManager": "delegation_manager",
    "EigenPodManager": "eigen_pod_manager",
    "EmptyContract": "empty_contract",
    "PauserRegistry": "pauser_registry",
    "PermissionController": "permission_controller",
    "ProxyAdmin": "proxy_admin",
    "StrategyBase": "strategy_base",
    "StrategyFactory": "strategy_factory",
    "StrategyManager": "strategy_manager",
    "TransparentUpgradeableProxy": "transparent_upgradeable_proxy",
    "UpgradeableBeacon": "upgradeable_beacon",
}
HERE = os.path.dirname(os.path.abspath(__file__))


def crate_file():
    cargo_home = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
    places = os.path.join(cargo_home, "registry", "cache", "*", f"{CRATE}-{VERSION}.crate")
    if not glob.glob(places):
        # `cargo info` downloads this crate alone; fetching a manifest that names it would bring 570 more.
        with tempfile.TemporaryDirectory() as empty:
            subprocess.run(["cargo", "info", "--quiet", f"{CRATE}@{VERSION}"], cwd=empty, check=True, stdout=subprocess.DEVNULL)
    found = glob.glob(places)
    if not found:
        sys.exit(f"cargo did not leave {CRATE}-{VERSION}.crate in its cache under {cargo_home}")
    with open(found[0], "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    if digest != SHA256:
        sys.exit(f"{CRATE} {VERSION} has SHA-256 {digest}, pinned is {SHA256}")
    return found[0]


def bytecode(archive, module):
    path = f"{CRATE}-{VERSION}/src/bindings/core/{module}.rs"
    source = archive.extractfile(path).read().decode()
    found = set()
    for literal in re.findall(r'pub static BYTECODE[^=]*=\s*[^(]*\(\s*(b"(?:[^"\\]|\\.)*")', source, re.S):
        found.add(ast.literal_eval(literal))
    found.discard(b"")
    if len(found) != 1:
        sys.exit(f"{path}: expected one creation bytecode, found {len(found)}")
    return "0x" + found.pop().hex()


def main():
    with tarfile.open(crate_file()) as archive:
        code = {name: bytecode(archive, module) for name, module in CONTRACTS.items()}
    core = {"crate": f"{CRATE} {VERSION}", "crateSha256": SHA256, "version": CORE_VERSION, "licence": "BUSL-1.1", "bytecode": code}
    text = json.dumps(core, indent=1) + "\n"
    path = os.path.join(HERE, "core.json")
    if "--write" in sys.argv[1:]:
        with open(path, "w") as file:
            file.write(text)
        print(f"wrote core.json: {len(code)} contracts, {sum(len(c) // 2 - 1 for c in code.values())} bytes of code")
        return
    with open(path) as file:
        committed = file.read()
    if committed != text:
        held = json.loads(committed).get("bytecode", {})
        differing = sorted(name for name in held.keys() | code.keys() if held.get(name) != code.get(name))
        sys.exit(f"core.json is not what {CRATE} {VERSION} holds: {', '.join(differing) or 'its other fields'}")
    print(f"EigenLayer core: bytecode of {len(code)} contracts equals that of crate {CRATE} {VERSION} (SHA-256 {SHA256[:16]}…)")


main()
