//! Streams whose reader may go away, as where `head` has seen enough.
//!
//! Promises that a command goes on to its end without a reader, so that its exit code says what came of it. Who would go on for ever,
//! such as a watch, flushes what it writes: that fails then.

use std::io::{self, ErrorKind, Write};

/// A stream that swallows what nobody reads.
#[derive(Debug)]
pub struct Pipe<W> {
    inner: W,
    is_closed: bool,
    tells: bool,
}

impl<W: Write> Pipe<W> {
    /// One whose flush fails once its reader is gone.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            is_closed: false,
            tells: true,
        }
    }

    /// One that never says that its reader is gone.
    pub fn silent(inner: W) -> Self {
        Self {
            tells: false,
            ..Self::new(inner)
        }
    }

    /// What to say of a result of the stream: nothing of a reader that is gone.
    fn heard<T>(&mut self, result: io::Result<T>, otherwise: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_closed = true;
                Ok(otherwise)
            }
            result => result,
        }
    }
}

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(bytes.len());
        }
        let written = self.inner.write(bytes);
        self.heard(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.is_closed {
            let flushed = self.inner.flush();
            self.heard(flushed, ())?;
        }
        if self.is_closed && self.tells {
            return Err(ErrorKind::BrokenPipe.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that nobody reads, or that is full.
    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_is_gone_is_told_of_by_the_flush_alone() {
        let mut out = io::BufWriter::new(Pipe::new(Broken(ErrorKind::BrokenPipe)));
        out.write_all(&vec![b'x'; 100_000]).unwrap();
        assert_eq!(out.flush().unwrap_err().kind(), ErrorKind::BrokenPipe);
        let mut err = Pipe::silent(Broken(ErrorKind::BrokenPipe));
        err.write_all(b"x").unwrap();
        err.flush().unwrap();
        let mut full = Pipe::new(Broken(ErrorKind::StorageFull));
        assert!(full.write_all(b"x").is_err());
        let mut good = Pipe::new(Vec::new());
        good.write_all(b"x").unwrap();
        good.flush().unwrap();
        assert_eq!(good.inner, b"x");
    }
}
