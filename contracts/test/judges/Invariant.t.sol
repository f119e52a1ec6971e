// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAttestationJudge} from "../../src/interfaces/IAttestationJudge.sol";
import {IClaimJudge} from "../../src/interfaces/IClaimJudge.sol";
import {IRollupRegistry} from "../../src/interfaces/IRollupRegistry.sol";
import {ISettlementAdapter} from "../../src/interfaces/ISettlementAdapter.sol";
import {ISettlementJudge} from "../../src/interfaces/ISettlementJudge.sol";
import {IStateRootJudge} from "../../src/interfaces/IStateRootJudge.sol";
import {Test} from "../Vm.sol";
import {listOf} from "./Listed.sol";
import {RollupWorld} from "./RollupWorld.sol";

/// @notice Honest operators (seats 0 and 1) and liars (2 and 3), a sequencer that never claims twice and one that does, and reporters
/// who take whatever was signed to whatever judge.
contract Town is RollupWorld {
    uint256 private constant BOND = 0.1 ether;
    uint64 private constant ANSWER = 6 hours;
    uint256 private constant LIAR_KEY = 0xbad;
    uint64 private constant LIAR_CHAIN = 2002;

    /// @notice Something that an operator signed.
    struct Signed {
        uint8 seat;
        bool claimed;
        WholeHeader header;
        bytes evidence;
        bytes statement;
        bytes blockHeader;
        Says says;
    }

    IAttestationJudge private attestations;
    IClaimJudge private claims;
    ISettlementJudge private settlement;
    IStateRootJudge private stateRoots;
    ISettlementAdapter private byTables;

    Signed[] private pool;
    bytes32[] private challenges;
    mapping(bytes32 id => uint256) private challengeOf;
    bytes32 private liarRegistration;
    uint256 private liarBond;
    uint64 private height = 100;
    bool[N] private lied;
    uint256 public slashed;
    uint256 public taken;

    constructor() {
        vm.deal(address(this), 1_000_000 ether);
        setUp();
        attestations = IAttestationJudge(judge("AttestationJudge", abi.encode(manager, tables)));
        claims = IClaimJudge(judge("ClaimJudge", abi.encode(manager, tables, registry, BOND, ANSWER)));
        stateRoots = IStateRootJudge(judge("StateRootJudge", abi.encode(manager, tables, registry)));
        byTables = ISettlementAdapter(deploy("TableAdapter", abi.encode(manager)));
        settlement = ISettlementJudge(judge("SettlementJudge", abi.encode(manager, tables, OWNER, uint64(1 days), listOf(byTables))));
        enrol();
        attest(0);
    }

    receive() external payable {}

    // ---- What operators sign

    /// @notice The next height, signed by all: the rollup advances with a claim.
    function attest(uint64 salt) public {
        ++height;
        _say(salt, keccak256(abi.encode("state", salt)));
        for (uint8 seat; seat < N; ++seat) _sign(seat, header(), true);
    }

    /// @notice A liar signs something else for a height that may have been signed already.
    function lie(uint8 seat, uint64 salt, uint8 kind, uint8 back) external {
        seat = 2 + seat % 2;
        uint64 kept = height;
        height = height - back % 3;
        _say(salt, keccak256(abi.encode("state", salt)));
        if (kind % 4 == 1) says.blockHash = keccak256(abi.encode("no claim", salt));
        if (kind % 4 == 2) says.stateRoot = keccak256(abi.encode("no state", salt));
        WholeHeader memory h = header();
        if (kind % 4 == 3) h.nextTableHash = keccak256(abi.encode("no table", salt));
        h.bodyHash = keccak256(abi.encode("a lie", salt));
        _sign(seat, h, kind % 4 != 1);
        lied[seat] = true;
        height = kept;
    }

    function _say(uint64 salt, bytes32 stateRoot) private {
        says.number = salt;
        says.stateRoot = stateRoot;
        says.advancedAt = height;
        says.blockHash = keccak256(blockHeader(salt, stateRoot));
        base.height = height;
    }

    function _sign(uint8 seat, WholeHeader memory h, bool claimed) private {
        bytes memory block_ = blockHeader(says.number, keccak256(abi.encode("state", says.number)));
        pool.push(Signed(seat, claimed, h, single(seat, h), statement(), block_, says));
    }

    // ---- What reporters try

    /// @notice Two things that were signed, as two attestations of one operator for one height, whoever signed them.
    function reportTwo(uint256 a, uint256 b, bool asFirst) external {
        Signed storage one = pool[a % pool.length];
        Signed storage other = pool[b % pool.length];
        address accused = operator(asFirst ? one.seat : other.seat);
        bytes memory data = abi.encodeCall(IAttestationJudge.slashSingles, (accused, one.header.height, _of(one), _of(other)));
        bool guilty = one.seat == other.seat && one.header.height == other.header.height && hashOf(one.header) != hashOf(other.header);
        _try(address(attestations), data, accused, guilty);
    }

    function _of(Signed storage s) private view returns (IAttestationJudge.Attestation memory) {
        return IAttestationJudge.Attestation(
            s.header.epoch, hashOf(s.header), sign(secrets[s.seat], attestationDigest(s.header))
        );
    }

    function reportTable(uint256 a, uint256 index) external {
        Signed storage s = pool[a % pool.length];
        bytes memory data = abi.encodeCall(ISettlementJudge.slashHeader, (s.evidence, byTables, abi.encode(index % 2), ""));
        _try(address(settlement), data, operator(s.seat), s.header.nextTableHash != 0 && index % 2 == 0);
    }

    function reportStateRoot(uint256 a, uint256 b) external {
        Signed storage s = pool[a % pool.length];
        bytes memory block_ = pool[b % pool.length].blockHeader;
        bytes memory data = abi.encodeCall(IStateRootJudge.slash, (s.evidence, s.statement, 0, block_, ""));
        bool guilty = keccak256(block_) == s.says.blockHash && s.says.stateRoot != keccak256(abi.encode("state", s.says.number));
        _try(address(stateRoots), data, operator(s.seat), guilty);
    }

    /// @notice Whoever is guilty and not out yet is slashed; nobody else ever is.
    function _try(address court, bytes memory data, address accused, bool guilty) private {
        bool out = manager.isJailed(accused);
        (bool ok,) = court.call(data);
        yes("guilty and only then", ok == (guilty && !out));
        if (ok) ++slashed;
    }

    // ---- Challenges

    function challenge(uint256 a) external {
        Signed storage s = pool[a % pool.length];
        (bool ok,) = address(claims).call{value: BOND}(abi.encodeCall(IClaimJudge.challenge, (s.evidence, s.statement)));
        if (!ok) return;
        bytes32 id = keccak256(abi.encodePacked(keccak256(s.evidence), keccak256(s.statement)));
        challenges.push(id);
        challengeOf[id] = a % pool.length;
    }

    /// @notice Time passes; before it does, those who have the sequencer's signature show it.
    function wait(uint16 minutes_) external {
        for (uint256 i; i < challenges.length; ++i) {
            Signed storage s = pool[challengeOf[challenges[i]]];
            if (claims.challengeAt(challenges[i]).state == IClaimJudge.State.Open && s.claimed) _answer(challenges[i], s.says);
        }
        vm.warp(block.timestamp + uint256(minutes_ % 600) * 1 minutes);
    }

    function _answer(bytes32 id, Says memory s) private {
        IClaimJudge.Subject memory subject =
            IClaimJudge.Subject(s.chainId, s.registration, s.generation, s.number, s.blockHash);
        claims.answer(id, subject, false, sequencerSigns("hum/claim/1", SEQUENCER_KEY, s));
    }

    function conclude(uint256 a) external {
        if (challenges.length == 0) return;
        bytes32 id = challenges[a % challenges.length];
        Signed storage s = pool[challengeOf[id]];
        (bool ok,) = address(claims).call(abi.encodeCall(IClaimJudge.conclude, (id)));
        yes("only what nobody can answer", !ok || !s.claimed);
        _try(address(claims), abi.encodeCall(IClaimJudge.slash, (s.evidence, s.statement, "")), operator(s.seat), _unanswered(id));
    }

    function _unanswered(bytes32 id) private view returns (bool) {
        return claims.challengeAt(id).state == IClaimJudge.State.Unanswered;
    }

    // ---- Sequencers

    /// @notice The lying sequencer registers, with another anchor each time.
    function enrol() public {
        if (registry.registrationOf(LIAR_CHAIN) != 0) return;
        liarBond = 1 ether + taken;
        vm.prank(OWNER);
        registry.authorise(LIAR_CHAIN, address(this));
        liarRegistration = registry.register{value: liarBond}(LIAR_CHAIN, jvm.addr(LIAR_KEY), bytes32(taken + 1), 0);
    }

    function reportClaims(bool liar, bytes32 a, bytes32 b) external {
        bytes32 id = liar ? liarRegistration : registration;
        // The honest one signs one block for each number.
        IRollupRegistry.Signed memory one = _claim(liar, liar ? a : bytes32("its block"));
        IRollupRegistry.Signed memory other = _claim(liar, liar ? b : bytes32("its block"));
        if (!liar) other.blockHash = b;
        bool standing = registry.registrationOf(liar ? LIAR_CHAIN : CHAIN) == id;
        (bool ok,) = address(registry).call(abi.encodeCall(IRollupRegistry.reportDoubleClaim, (id, one, other)));
        yes("claimed twice and only then", ok == (liar && standing && a != b));
        if (ok) taken += liarBond - liarBond / 10;
    }

    function _claim(bool liar, bytes32 hash) private view returns (IRollupRegistry.Signed memory) {
        Says memory s = says;
        (s.generation, s.number, s.blockHash) = (0, 9, hash);
        if (liar) (s.chainId, s.registration) = (LIAR_CHAIN, liarRegistration);
        return IRollupRegistry.Signed(0, 9, hash, sequencerSigns("hum/claim/1", liar ? LIAR_KEY : SEQUENCER_KEY, s));
    }

    // ---- What always holds

    function check() external view {
        uint256 out;
        for (uint256 seat; seat < N; ++seat) {
            bool jailed = manager.isJailed(operator(seat));
            if (jailed) ++out;
            yes("only liars", !jailed || lied[seat]);
        }
        eq("once each", slashed, out);
        eq("by proof only", manager.slashes(), out);
        uint256 open;
        for (uint256 i; i < challenges.length; ++i) {
            if (claims.challengeAt(challenges[i]).state == IClaimJudge.State.Open) ++open;
        }
        eq("challengers' bonds", address(claims).balance, open * BOND);
        uint256 standing = registry.rollup(registration).bondWei + registry.rollup(liarRegistration).bondWei;
        eq("sequencers' bonds", address(registry).balance, standing + registry.owedWei(address(0xf00d)));
        eq("the fund's", registry.owedWei(address(0xf00d)), taken);
        eq("the honest one's", registry.rollup(registration).bondWei, 1 ether);
    }
}

contract JudgesInvariantTest is Test {
    Town private town;

    function setUp() public {
        town = new Town();
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(town);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        bytes4[16] memory weighed = [
            Town.attest.selector,
            Town.lie.selector,
            Town.lie.selector,
            Town.reportTwo.selector,
            Town.reportTwo.selector,
            Town.reportTwo.selector,
            Town.reportTable.selector,
            Town.reportStateRoot.selector,
            Town.reportStateRoot.selector,
            Town.challenge.selector,
            Town.challenge.selector,
            Town.wait.selector,
            Town.conclude.selector,
            Town.conclude.selector,
            Town.enrol.selector,
            Town.reportClaims.selector
        ];
        list = new FuzzSelector[](1);
        list[0].addr = address(town);
        list[0].selectors = new bytes4[](weighed.length);
        for (uint256 i; i < weighed.length; ++i) list[0].selectors[i] = weighed[i];
    }

    /// @notice Nobody honest is slashed or pays, every offender once and only by proof, and no bond is lost or made.
    function invariant_onlyLiarsPayAndOnce() public view {
        town.check();
    }
}
