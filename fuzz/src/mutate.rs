//! Change inputs a little, the same way for the same seed.

/// Numbers that look random: splitmix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Numbers that follow from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub const fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.number() % bound as u64) as usize }
    }

    /// One of `inputs`, changed in one to four places, at most `longest` bytes.
    pub fn mutant(&mut self, inputs: &[Vec<u8>], longest: usize) -> Vec<u8> {
        let mut input = inputs.get(self.below(inputs.len())).cloned().unwrap_or_default();
        for _ in 0..=self.below(4) {
            self.change(&mut input, inputs);
        }
        input.truncate(longest);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let count = self.below(64).min(input.len() - at.min(input.len()));
        match self.below(8) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            1 => {
                let value = self.number() as u8;
                if let Some(byte) = input.get_mut(at) {
                    *byte = value;
                }
            }
            2 => {
                input.drain(at..at + count);
            }
            3 => {
                let chunk: Vec<u8> = (0..self.below(32)).map(|_| self.number() as u8).collect();
                input.splice(at..at, chunk);
            }
            4 => {
                let chunk = input[at..at + count].to_vec();
                input.splice(at..at, chunk);
            }
            5 => {
                let edges = [0, 1, 2, 0x7fff_ffff, 0xffff_ffff_u32, 0x0001_0000, 256, 257];
                let edge = edges[self.below(edges.len())].to_be_bytes();
                let end = (at + 4).min(input.len());
                input.splice(at..end, edge);
            }
            6 => input.truncate(at),
            _ => {
                // The front of this one, the back of another.
                let other = inputs.get(self.below(inputs.len())).cloned().unwrap_or_default();
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }
}
