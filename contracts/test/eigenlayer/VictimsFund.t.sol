// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAllocationManager} from "../../src/interfaces/IEigenLayer.sol";
import {VictimsFund} from "../../src/VictimsFund.sol";
import {StandInCore, TestToken} from "./Cores.sol";
import {NewerCore} from "./NewerCore.sol";
import {Restaking} from "./Restaking.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @notice Redistribution. The core that packages ship (v1.3) has none: this runs on our stand-in of newer releases only.
contract VictimsFundOnNewerCoreTest is Restaking, StandInCore {
    address private constant VICTIM = address(0xb0b);
    uint64 private constant DELAY = 7 days;
    VictimsFund private fund;

    function setUp() public override {
        fund = VictimsFund(payable(deploy("VictimsFund", abi.encode(this, DELAY))));
        config.redistributionRecipient = address(fund);
        super.setUp();
    }

    function set() private view returns (IAllocationManager.OperatorSet memory) {
        return IAllocationManager.OperatorSet(address(manager), 0);
    }

    function newer() private view returns (NewerCore) {
        return NewerCore(address(core));
    }

    function test_slashedStakeReachesVictims() public {
        yes("redistributing", newer().isRedistributingOperatorSet(set()));
        eq("recipient", newer().getRedistributionRecipient(set()), address(fund));
        joinEqual(2, 1000);
        slashes(operatorAt(0), "offence");
        eq("slashes", newer().getSlashCount(set()), 1);
        newer().clearBurnOrRedistributableShares(set(), 1);
        TestToken token = tokenOf(strategy);
        eq("fund", token.balanceOf(address(fund)), 1000);
        newer().clearBurnOrRedistributableShares(set(), 1);
        eq("once", token.balanceOf(address(fund)), 1000);

        uint256 payout = fund.announce(token, VICTIM, 600, "reason");
        vm.warp(block.timestamp + DELAY);
        vm.prank(address(0xa11));
        fund.pay(payout);
        eq("victim", token.balanceOf(VICTIM), 600);
        eq("the rest", token.balanceOf(address(fund)), 400);
    }

    function test_refusesPayouts() public {
        TestToken token = tokenOf(strategy);
        token.mint(address(fund), 100);
        bytes memory announce = abi.encodeCall(VictimsFund.announce, (IERC20(token), VICTIM, 60, "reason"));
        bytes memory stranger = err(VictimsFund.NotOwner.selector, VICTIM);
        refusesFrom(VICTIM, "announce", stranger, address(fund), announce);
        bytes memory nobody = abi.encodeCall(VictimsFund.announce, (IERC20(token), address(0), 60, "reason"));
        refuses("nobody", err(VictimsFund.VictimMissing.selector), address(fund), nobody);
        uint256 payout = fund.announce(token, VICTIM, 60, "reason");
        bytes memory pay = abi.encodeCall(VictimsFund.pay, (payout));
        vm.warp(block.timestamp + DELAY - 1);
        bytes memory early = abi.encodeWithSelector(VictimsFund.PayoutNotDue.selector, payout, block.timestamp + 1);
        refuses("early", early, address(fund), pay);
        refusesFrom(VICTIM, "cancel", stranger, address(fund), abi.encodeCall(VictimsFund.cancel, (payout)));
        vm.warp(block.timestamp + 1);
        fund.pay(payout);
        bytes memory closed = err(VictimsFund.PayoutClosed.selector, payout);
        refuses("twice", closed, address(fund), pay);
        refuses("too late to cancel", closed, address(fund), abi.encodeCall(VictimsFund.cancel, (payout)));
        payout = fund.announce(token, VICTIM, 40, "reason");
        fund.cancel(payout);
        vm.warp(block.timestamp + DELAY);
        refuses("cancelled", err(VictimsFund.PayoutClosed.selector, payout), address(fund), abi.encodeCall(VictimsFund.pay, (payout)));
        refuses("unknown", err(VictimsFund.PayoutUnknown.selector, payout + 1), address(fund), abi.encodeCall(VictimsFund.pay, (payout + 1)));
        eq("paid once", token.balanceOf(VICTIM), 60);
    }

    /// @notice A payout that the fund cannot cover waits.
    function test_waitsForTokens() public {
        TestToken token = tokenOf(strategy);
        uint256 payout = fund.announce(token, VICTIM, 60, "reason");
        vm.warp(block.timestamp + DELAY);
        (bool ok,) = address(fund).call(abi.encodeCall(VictimsFund.pay, (payout)));
        yes("not yet", !ok);
        token.mint(address(fund), 60);
        fund.pay(payout);
        eq("victim", token.balanceOf(VICTIM), 60);
        eq("payouts", fund.payoutCount(), 1);
    }

    /// @notice Ether is announced and paid as tokens are.
    function test_paysEther() public {
        vm.deal(address(this), 100);
        (bool taken,) = address(fund).call{value: 100}("");
        yes("taken", taken);
        uint256 first = fund.announce(fund.ETHER(), VICTIM, 60, "reason");
        uint256 second = fund.announce(fund.ETHER(), VICTIM, 60, "reason");
        refuses("early", err(VictimsFund.PayoutNotDue.selector, first, block.timestamp + DELAY), address(fund), abi.encodeCall(VictimsFund.pay, (first)));
        vm.warp(block.timestamp + DELAY);
        fund.pay(first);
        eq("victim", VICTIM.balance, 60);
        eq("the rest", address(fund).balance, 40);
        (bool ok,) = address(fund).call(abi.encodeCall(VictimsFund.pay, (second)));
        yes("too little", !ok);
        vm.deal(address(fund), 60);
        fund.pay(second);
        eq("paid", VICTIM.balance, 120);
        eq("nothing is left", address(fund).balance, 0);
    }
}
