// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @title Where sequencers' bonds go and, on cores that redistribute it (EigenLayer v1.5 and later), slashed stake
/// @notice Holds ether and tokens for whom a lie has hurt. Who that is, no contract can know: the owner names victim and amount, with the
/// hash of a public reason, and anyone can have it paid when the delay is over. Until then the owner can take it back, and
/// everybody can see it. The owner can send nothing at once, and nothing leaves in any other way.
contract VictimsFund {
    using SafeERC20 for IERC20;

    /// @notice What {announce} takes for ether's token.
    IERC20 public constant ETHER = IERC20(address(0));

    /// @notice `dueAt` in seconds since 1970; zero once paid or cancelled.
    struct Payout {
        IERC20 token;
        address victim;
        uint256 amount;
        uint64 dueAt;
    }

    address public immutable OWNER;
    uint64 public immutable DELAY_SECONDS;
    /// @notice Every payout ever announced, by number.
    Payout[] public payouts;

    /// @notice `victim` can be paid from `dueAt` on. `reason`: hash of what was published to justify it.
    event PayoutAnnounced(
        uint256 indexed payout, address indexed victim, IERC20 token, uint256 amount, uint64 dueAt, bytes32 reason
    );
    event PayoutCancelled(uint256 indexed payout);
    event Paid(uint256 indexed payout, address indexed victim, IERC20 token, uint256 amount);
    /// @notice Ether came, a taken bond's for instance.
    event Received(address indexed from, uint256 amountWei);

    error NotOwner(address caller);
    error OwnerMissing();
    error VictimMissing();
    error PayoutUnknown(uint256 payout);
    /// @notice It was paid or cancelled.
    error PayoutClosed(uint256 payout);
    error PayoutNotDue(uint256 payout, uint64 dueAt);

    constructor(address owner, uint64 delaySeconds) {
        if (owner == address(0)) revert OwnerMissing();
        (OWNER, DELAY_SECONDS) = (owner, delaySeconds);
    }

    /// @notice Takes ether. Emits {Received}.
    receive() external payable {
        emit Received(msg.sender, msg.value);
    }

    modifier onlyOwner() {
        if (msg.sender != OWNER) revert NotOwner(msg.sender);
        _;
    }

    /// @notice Announces a payout of a token, or of {ETHER}. What is announced need not be here yet: redistribution comes in two steps.
    /// @dev Callable by the owner. Emits {PayoutAnnounced}. Reverts: {NotOwner}, {VictimMissing}.
    function announce(IERC20 token, address victim, uint256 amount, bytes32 reason) external onlyOwner returns (uint256 payout) {
        if (victim == address(0)) revert VictimMissing();
        payout = payouts.length;
        uint64 dueAt = uint64(block.timestamp) + DELAY_SECONDS;
        payouts.push(Payout(token, victim, amount, dueAt));
        emit PayoutAnnounced(payout, victim, token, amount, dueAt, reason);
    }

    /// @notice Takes an announced payout back.
    /// @dev Callable by the owner. Emits {PayoutCancelled}. Reverts: {NotOwner}, {PayoutUnknown}, {PayoutClosed}.
    function cancel(uint256 payout) external onlyOwner {
        _open(payout).dueAt = 0;
        emit PayoutCancelled(payout);
    }

    /// @notice Pays the victim.
    /// @dev Callable by anyone. Emits {Paid}. Reverts: {PayoutUnknown}, {PayoutClosed}, {PayoutNotDue}, and as the token or the
    /// victim does, when there is too little for instance; then it can be tried again.
    function pay(uint256 payout) external {
        Payout storage p = _open(payout);
        if (block.timestamp < p.dueAt) revert PayoutNotDue(payout, p.dueAt);
        p.dueAt = 0;
        emit Paid(payout, p.victim, p.token, p.amount);
        if (p.token == ETHER) Address.sendValue(payable(p.victim), p.amount);
        else p.token.safeTransfer(p.victim, p.amount);
    }

    /// @notice How many payouts were ever announced.
    function payoutCount() external view returns (uint256) {
        return payouts.length;
    }

    function _open(uint256 payout) private view returns (Payout storage p) {
        if (payout >= payouts.length) revert PayoutUnknown(payout);
        p = payouts[payout];
        if (p.dueAt == 0) revert PayoutClosed(payout);
    }
}
