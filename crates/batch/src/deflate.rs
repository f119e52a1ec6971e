//! Raw deflate, bounded.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Bytes inflated at a time.
const CHUNK_BYTES: usize = 16 << 10;

/// Why bytes do not inflate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// They are no deflate stream.
    #[error("not a deflate stream: {0}")]
    Malformed(String),
    /// The stream has no end.
    #[error("the deflate stream ends early, after {inflated} bytes")]
    Truncated {
        /// Bytes that it gave.
        inflated: usize,
    },
    /// It gives more than is allowed.
    #[error("inflates to more than {bound} bytes")]
    TooLong {
        /// The most that is allowed.
        bound: usize,
    },
    /// Bytes follow the stream.
    #[error("{left} bytes follow the deflate stream")]
    Trailing {
        /// How many.
        left: usize,
    },
}

/// Inflate all of `bytes`, to at most `bound` bytes; never more memory than that is taken.
pub(crate) fn inflate(bytes: &[u8], bound: usize) -> Result<Vec<u8>, InflateError> {
    let mut stream = Decompress::new(false);
    let mut rest = bytes;
    let mut out: Vec<u8> = Vec::new();
    let mut chunk = [0; CHUNK_BYTES];
    loop {
        let (read, written) = (stream.total_in(), stream.total_out());
        let status = stream
            .decompress(rest, &mut chunk, FlushDecompress::None)
            .map_err(|error| InflateError::Malformed(error.to_string()))?;
        let taken = since(read, stream.total_in());
        rest = rest.get(taken..).unwrap_or_default();
        let given = chunk.get(..since(written, stream.total_out())).unwrap_or_default();
        if given.len() > bound - out.len() {
            return Err(InflateError::TooLong { bound });
        }
        let (capacity, needed) = (out.capacity(), out.len() + given.len());
        if capacity < needed {
            out.reserve_exact((capacity * 2).clamp(needed, bound) - out.len());
        }
        out.extend_from_slice(given);
        if status == Status::StreamEnd {
            return if rest.is_empty() { Ok(out) } else { Err(InflateError::Trailing { left: rest.len() }) };
        }
        if taken == 0 && given.is_empty() {
            return Err(InflateError::Truncated { inflated: out.len() });
        }
    }
}

fn since(before: u64, after: u64) -> usize {
    usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX)
}

/// Append the compressed `payload` to `out`.
pub(crate) fn deflate(payload: &[u8], out: &mut Vec<u8>) {
    let mut stream = Compress::new(Compression::best(), false);
    loop {
        let taken = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
        let rest = payload.get(taken..).unwrap_or_default();
        out.reserve(CHUNK_BYTES);
        // Into memory that is there, a stream that was not yet finished has no way to fail.
        match stream.compress_vec(rest, out, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => return,
            Ok(Status::Ok | Status::BufError) => {}
            Err(error) => unreachable!("our own payload is compressed: {error}"),
        }
    }
}
