//! The log across crashes: every length at which a write may have stopped, and damage at every byte.

use super::*;

const GENESIS: B256 = B256::repeat_byte(7);

fn made(number: u8) -> MadeBlock {
    let requests = (0..number % 3).map(|kind| Bytes::from(vec![kind, number])).collect();
    MadeBlock { rlp: Bytes::from(vec![number; usize::from(number) + 1]), requests }
}

fn path(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("blocks")
}

fn read_all(path: &Path) -> Result<(Vec<MadeBlock>, BlockLog, u64), LogError> {
    let mut reader = LogReader::open(path, GENESIS)?;
    let mut blocks = Vec::new();
    while let Some(block) = reader.next()? {
        blocks.push(block);
    }
    let (log, torn) = reader.finish()?;
    Ok((blocks, log, torn))
}

/// A log of three blocks; its bytes, and where each record ends.
fn written(path: &Path) -> (Vec<u8>, Vec<usize>) {
    let (blocks, mut log, torn) = read_all(path).unwrap();
    assert_eq!((blocks.len(), torn), (0, 0));
    let mut ends = vec![PREFIX_BYTES as usize];
    for number in 1..=3 {
        log.append(&made(number)).unwrap();
        ends.push(std::fs::metadata(path).unwrap().len() as usize);
    }
    (std::fs::read(path).unwrap(), ends)
}

#[test]
fn a_write_that_stopped_anywhere_loses_only_itself() {
    let dir = tempfile::tempdir().unwrap();
    let path = path(&dir);
    let (bytes, ends) = written(&path);
    for length in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let (blocks, mut log, torn) = read_all(&path).unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
        assert_eq!(blocks, (1..=whole as u8).map(made).collect::<Vec<_>>(), "{length}");
        if length >= PREFIX_BYTES as usize {
            assert_eq!(torn as usize, length - ends[whole]);
        }
        // It goes on as if nothing had been.
        log.append(&made(9)).unwrap();
        let (again, _, torn) = read_all(&path).unwrap();
        assert_eq!((again.len(), again.last(), torn), (whole + 1, Some(&made(9)), 0));
    }
}

#[test]
fn a_file_that_grew_before_its_bytes_arrived_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let path = path(&dir);
    let (bytes, ends) = written(&path);
    // The head arrived or did not, the body not.
    for arrived in [0, HEAD_BYTES] {
        let mut grown = bytes[..ends[2] + arrived].to_vec();
        grown.resize(bytes.len(), 0);
        std::fs::write(&path, &grown).unwrap();
        let (blocks, _, torn) = read_all(&path).unwrap();
        assert_eq!((blocks.len(), torn as usize), (2, bytes.len() - ends[2]));
    }
}

#[test]
fn damage_to_what_was_announced_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = path(&dir);
    let (bytes, ends) = written(&path);
    for place in 0..ends[2] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        let error = read_all(&path).unwrap_err();
        match place {
            0..12 => assert!(matches!(error, LogError::Foreign { .. }), "{place}: {error}"),
            12..44 => assert!(matches!(error, LogError::Genesis { .. }), "{place}: {error}"),
            _ => {
                let expected = u64::from(place >= ends[1]);
                assert!(matches!(error, LogError::Damaged { record, .. } if record == expected), "{place}");
            }
        }
    }
    // Nothing was cut off.
    assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, bytes.len());
}

#[test]
fn another_file_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = path(&dir);
    std::fs::write(&path, "something else").unwrap();
    assert!(matches!(read_all(&path), Err(LogError::Foreign { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"something else");
}
