//! A batch's data in blobs.
//!
//! A blob is 4,096 field elements of 32 bytes, each below the order of BLS12-381's scalars. So the first byte of each is
//! zero, and the other 31 carry bytes: `length 4 ‖ data ‖ zeros`, over as many blobs as that needs and no more.

use hum_types::{Bytes, DecodeError};

/// Bytes of a blob.
pub const BLOB_BYTES: usize = ELEMENTS * ELEMENT_BYTES;
/// Blobs that one transaction has at most (EIP-7594).
pub const BLOBS_MAX: usize = 6;
/// Bytes of a batch in the blobs of one transaction.
pub const BLOB_DATA_BYTES_MAX: usize = BLOBS_MAX * CARRIED_BYTES - LENGTH_BYTES;

const ELEMENTS: usize = 4_096;
const ELEMENT_BYTES: usize = 32;
/// Bytes that a blob carries.
const CARRIED_BYTES: usize = ELEMENTS * (ELEMENT_BYTES - 1);
const LENGTH_BYTES: usize = 4;

/// Why blobs hold no data, or data fit no blobs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// More than the blobs of one transaction carry, or nothing.
    #[error("{found} bytes of data, the blobs of a transaction carry 1 to {bound}")]
    Length {
        /// Bytes of the data.
        found: usize,
        /// The most.
        bound: usize,
    },
    /// Another number of blobs than the data need.
    #[error("{found} blobs for {length} bytes of data, which need {needed}")]
    Count {
        /// How many there are.
        found: usize,
        /// Bytes of the data.
        length: usize,
        /// How many these need.
        needed: usize,
    },
    /// A blob of another size.
    #[error("blob {index} has {found} bytes, a blob has {BLOB_BYTES}")]
    Size {
        /// Its position, from 0.
        index: usize,
        /// Its bytes.
        found: usize,
    },
    /// A field element's first byte is not zero.
    #[error("field element {element} of blob {index} begins with {found}, not with zero")]
    Element {
        /// The blob's position, from 0.
        index: usize,
        /// The element's, in the blob.
        element: usize,
        /// Its first byte.
        found: u8,
    },
    /// Something follows the data.
    #[error("byte {at} after the data is not zero")]
    Padding {
        /// Its position in what the blobs carry.
        at: usize,
    },
    /// The length.
    #[error(transparent)]
    Field(#[from] DecodeError),
}

const fn needed(length: usize) -> usize {
    (length + LENGTH_BYTES).div_ceil(CARRIED_BYTES)
}

const fn known_length(found: usize) -> Result<(), BlobError> {
    if found == 0 || found > BLOB_DATA_BYTES_MAX {
        return Err(BlobError::Length { found, bound: BLOB_DATA_BYTES_MAX });
    }
    Ok(())
}

/// Put data into blobs.
pub fn to_blobs(data: &[u8]) -> Result<Vec<Bytes>, BlobError> {
    known_length(data.len())?;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut carried = length.to_be_bytes().into_iter().chain(data.iter().copied());
    let blob = |_| {
        let mut blob = vec![0; BLOB_BYTES];
        for element in blob.chunks_exact_mut(ELEMENT_BYTES) {
            for (to, byte) in element.iter_mut().skip(1).zip(&mut carried) {
                *to = byte;
            }
        }
        blob.into()
    };
    Ok((0..needed(data.len())).map(blob).collect())
}

/// Take data out of blobs. What is accepted gives the same blobs again.
pub fn from_blobs<T: AsRef<[u8]>>(blobs: &[T]) -> Result<Vec<u8>, BlobError> {
    let mut carried = Vec::with_capacity(CARRIED_BYTES * blobs.len().min(BLOBS_MAX));
    for (index, blob) in blobs.iter().enumerate().take(BLOBS_MAX) {
        let blob = blob.as_ref();
        if blob.len() != BLOB_BYTES {
            return Err(BlobError::Size { index, found: blob.len() });
        }
        for (element, bytes) in blob.chunks_exact(ELEMENT_BYTES).enumerate() {
            match bytes.split_first() {
                Some((0, rest)) => carried.extend_from_slice(rest),
                first => {
                    let found = first.map_or(0, |(first, _)| *first);
                    return Err(BlobError::Element { index, element, found });
                }
            }
        }
    }
    let mut reader = hum_types::Reader::new(&carried);
    let length = usize::try_from(reader.u32("length of the data")?).unwrap_or(usize::MAX);
    known_length(length)?;
    if blobs.len() != needed(length) {
        return Err(BlobError::Count { found: blobs.len(), length, needed: needed(length) });
    }
    let end = LENGTH_BYTES + length;
    if let Some(at) = carried.iter().skip(end).position(|byte| *byte != 0) {
        return Err(BlobError::Padding { at });
    }
    carried.truncate(end);
    carried.drain(..LENGTH_BYTES);
    Ok(carried)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blobs(data: &[u8]) -> Vec<Vec<u8>> {
        to_blobs(data).unwrap().into_iter().map(Vec::from).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_goes_in_comes_out(length in 1..300_000_usize, byte in any::<u8>()) {
            let data: Vec<u8> = (0..length).map(|at| byte.wrapping_add(at.to_le_bytes()[0])).collect();
            prop_assert_eq!(from_blobs(&blobs(&data)), Ok(data));
        }

        #[test]
        fn what_is_accepted_goes_in_again(
            length in 1..130_000_u32, at in 0..2 * BLOB_BYTES, byte in any::<u8>(), count in 1..3_usize,
        ) {
            let mut any = vec![vec![0; BLOB_BYTES]; count];
            any[0][1..5].copy_from_slice(&length.to_be_bytes());
            if let Some(blob) = any.get_mut(at / BLOB_BYTES) {
                blob[at % BLOB_BYTES] = byte;
            }
            if let Ok(data) = from_blobs(&any) {
                prop_assert_eq!(blobs(&data), any);
            }
        }
    }

    #[test]
    fn blobs_are_as_many_as_the_data_need() {
        for (length, count) in
            [(1, 1), (126_972, 1), (126_973, 2), (253_948, 2), (253_949, 3), (BLOB_DATA_BYTES_MAX, 6)]
        {
            let data = vec![0xab; length];
            let blobs = blobs(&data);
            assert_eq!(blobs.len(), count, "{length}");
            assert_eq!(from_blobs(&blobs), Ok(data));
        }
        assert_eq!(BLOB_DATA_BYTES_MAX, 761_852);
        for found in [0, BLOB_DATA_BYTES_MAX + 1] {
            let refused = BlobError::Length { found, bound: BLOB_DATA_BYTES_MAX };
            assert_eq!(to_blobs(&vec![0; found]), Err(refused));
        }
    }

    #[test]
    fn each_corruption_is_refused() {
        let data = vec![7; 130_000];
        let good = blobs(&data);
        let corrupt = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
            let mut blobs = good.clone();
            change(&mut blobs);
            from_blobs(&blobs)
        };
        let with_length =
            |length: u32| corrupt(&|blobs| blobs[0][1..5].copy_from_slice(&length.to_be_bytes()));
        let (bound, length) = (BLOB_DATA_BYTES_MAX, 130_000);
        assert_eq!(
            from_blobs::<Vec<u8>>(&[]),
            Err(BlobError::Field(DecodeError::Truncated { field: "length of the data", needed: 4, left: 0 }))
        );
        assert_eq!(with_length(0), Err(BlobError::Length { found: 0, bound }));
        assert_eq!(with_length(761_853), Err(BlobError::Length { found: bound + 1, bound }));
        assert_eq!(with_length(126_972), Err(BlobError::Count { found: 2, length: 126_972, needed: 1 }));
        assert_eq!(with_length(129_999), Err(BlobError::Padding { at: 0 }));
        assert_eq!(
            corrupt(&|blobs| blobs.push(vec![0; BLOB_BYTES])),
            Err(BlobError::Count { found: 3, length, needed: 2 })
        );
        assert_eq!(
            corrupt(&|blobs| blobs.resize(7, vec![0; BLOB_BYTES])),
            Err(BlobError::Count { found: 7, length, needed: 2 })
        );
        assert_eq!(
            corrupt(&|blobs| blobs.truncate(1)),
            Err(BlobError::Count { found: 1, length, needed: 2 })
        );
        assert_eq!(
            corrupt(&|blobs| blobs[1].truncate(BLOB_BYTES - 1)),
            Err(BlobError::Size { index: 1, found: BLOB_BYTES - 1 })
        );
        assert_eq!(
            corrupt(&|blobs| blobs[1][64] = 1),
            Err(BlobError::Element { index: 1, element: 2, found: 1 })
        );
        assert_eq!(
            corrupt(&|blobs| blobs[1][BLOB_BYTES - 1] = 1),
            Err(BlobError::Padding { at: 2 * CARRIED_BYTES - LENGTH_BYTES - length - 1 })
        );
    }
}
