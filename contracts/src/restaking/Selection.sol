// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";

/// @title Who of the candidates gets a seat
library Selection {
    struct Candidate {
        address operator;
        bytes32 operatorId;
        uint128 stake;
    }

    /// @dev An index shares a word with what it is sorted by.
    uint256 internal constant CANDIDATES_MAX = 256;
    /// @dev A seat needs this part of the mean stake.
    uint256 private constant FLOOR_PART = 4;

    /// @notice The `seatsMax` candidates with most stake, the smaller id at equal stake, without those that have less than a
    /// quarter of the mean of these; in ascending order of ids.
    /// @dev Ids are compared by their first 31 bytes: two hashes that agree so far are not found.
    function choose(Candidate[] memory candidates, uint256 seatsMax) internal pure returns (Candidate[] memory seats) {
        uint256 n = candidates.length;
        assert(n <= CANDIDATES_MAX);
        uint256[] memory byId = new uint256[](n);
        for (uint256 i; i < n; ++i) byId[i] = uint256(candidates[i].operatorId) & ~uint256(0xff) | i;
        Arrays.sort(byId);

        uint256 last = type(uint256).max;
        uint256[] memory ranks = new uint256[](n);
        for (uint256 place; place < n; ++place) ranks[byId[place] & 0xff] = _rank(candidates[byId[place] & 0xff], place);
        if (n > seatsMax) {
            uint256[] memory sorted = new uint256[](n);
            for (uint256 i; i < n; ++i) sorted[i] = ranks[i];
            last = Arrays.sort(sorted)[seatsMax - 1];
        }

        uint256 counted;
        uint256 total;
        for (uint256 i; i < n; ++i) {
            if (ranks[i] > last) continue;
            ++counted;
            total += candidates[i].stake;
        }
        seats = new Candidate[](counted);
        uint256 taken;
        for (uint256 place; place < n; ++place) {
            uint256 i = byId[place] & 0xff;
            if (ranks[i] > last || candidates[i].stake * FLOOR_PART * counted < total) continue;
            seats[taken++] = candidates[i];
        }
        assembly ("memory-safe") {
            mstore(seats, taken)
        }
    }

    /// @dev Smaller is better: more stake, then an earlier place among the ids.
    function _rank(Candidate memory candidate, uint256 place) private pure returns (uint256) {
        return uint256(type(uint128).max - candidate.stake) << 128 | place;
    }
}
