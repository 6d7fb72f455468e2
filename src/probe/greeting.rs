//! The first packet of a MySQL server, as far as a client has to understand it to answer.
//!
//! Pure. Promises a verdict on any bytes without a panic, and that it asks for no more than [`MOST`] of them.

/// No greeting is longer: it has some hundred bytes, and the version of the server in it.
pub const MOST: usize = 1024;

/// The header of a packet: three bytes of length, one of sequence.
pub const HEADER: usize = 4;

/// The server takes the protocol of MySQL 4.1 and later.
pub const PROTOCOL_41: u32 = 0x0000_0200;
/// The answer to its challenge has a length of its own.
pub const SECURE_CONNECTION: u32 = 0x0000_8000;
/// It names the method by which it tells users apart.
pub const PLUGIN_AUTH: u32 = 0x0008_0000;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// More has to be read.
    More,
    /// A greeting.
    Greeting(Greeting),
    /// The server refuses the connection with this code.
    Error(u16),
    /// No greeting.
    Foreign,
}

/// What a server says of itself, as far as it matters to an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// What it can do.
    pub capabilities: u32,
    /// The method by which it tells users apart, where it names one.
    pub method: Option<Vec<u8>>,
}

/// Judges what a server has said so far.
pub fn read(bytes: &[u8]) -> Read {
    let Some((header, rest)) = bytes.split_at_checked(HEADER) else {
        return Read::More;
    };
    let [low, middle, high, sequence] = header else {
        return Read::More;
    };
    let length = u32::from_le_bytes([*low, *middle, *high, 0]);
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    // Nothing of the client's came before it.
    if *sequence != 0 || length == 0 || length > MOST - HEADER {
        return Read::Foreign;
    }
    match rest.get(..length) {
        None => Read::More,
        Some(payload) => judge(payload).unwrap_or(Read::Foreign),
    }
}

/// The kinds of first packets.
const VERSION_10: u8 = 10;
const ERROR: u8 = 0xff;

fn judge(payload: &[u8]) -> Option<Read> {
    let mut rest = Rest(payload);
    match rest.byte()? {
        VERSION_10 => rest.greeting().map(Read::Greeting),
        ERROR => rest.number().map(Read::Error),
        _ => None,
    }
}

/// What of a packet was not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(u16::from_le_bytes(bytes))
    }

    /// Up to a zero, which is taken as well.
    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(length)?;
        self.byte()?;
        Some(text)
    }

    /// After the number of the protocol.
    fn greeting(&mut self) -> Option<Greeting> {
        /// The number of the connection, and the first part of the challenge with a zero after it.
        const BETWEEN: usize = 4 + 8 + 1;
        let version = self.text()?;
        if version.is_empty() || !version.iter().all(|byte| (0x20..0x7f).contains(byte)) {
            return None;
        }
        self.take(BETWEEN)?;
        let mut capabilities = u32::from(self.number()?);
        // Very old servers end here.
        let more = self.more();
        let method = more.as_ref().and_then(|(_, method)| method.clone());
        capabilities |= more.map_or(0, |(high, _)| high);
        Some(Greeting {
            capabilities,
            method,
        })
    }

    /// The upper capabilities, and the method.
    fn more(&mut self) -> Option<(u32, Option<Vec<u8>>)> {
        /// The character set and the status.
        const BEFORE: usize = 1 + 2;
        /// What is reserved.
        const RESERVED: usize = 10;
        /// The shortest second part of a challenge.
        const SECOND: usize = 13;
        self.take(BEFORE)?;
        let high = u32::from(self.number()?) << 16;
        let challenge = usize::from(self.byte()?);
        let method = (high & PLUGIN_AUTH != 0)
            .then(|| {
                self.take(RESERVED)?;
                self.take(challenge.saturating_sub(8).max(SECOND))?;
                // Some servers leave out the zero at the end.
                let named = self.text().unwrap_or(self.0);
                Some(named.to_vec())
            })
            .flatten();
        Some((high, method))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As MySQL 8 greets.
    pub fn sample() -> Vec<u8> {
        let mut payload = vec![VERSION_10];
        payload.extend(b"8.0.22-taurus\0");
        payload.extend([7, 0, 0, 0]);
        payload.extend(b"abcdefgh\0");
        payload.extend([0xff, 0xff, 0xff, 2, 0, 0xff, 0xdf, 21]);
        payload.extend([0; 10]);
        payload.extend(b"ijklmnopqrst\0");
        payload.extend(b"caching_sha2_password\0");
        packet(&payload)
    }

    /// The payload with its header.
    pub fn packet(payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        let mut packet = vec![length, 0, 0, 0];
        packet.extend(payload);
        packet
    }

    #[test]
    fn a_greeting_is_read_once_it_is_whole() {
        let sample = sample();
        for length in 0..sample.len() {
            assert_eq!(read(&sample[..length]), Read::More, "{length}");
        }
        let greeting = Greeting {
            capabilities: 0xdfff_ffff,
            method: Some(b"caching_sha2_password".to_vec()),
        };
        assert_eq!(read(&sample), Read::Greeting(greeting.clone()));
        let with_more = [sample, vec![1, 2, 3]].concat();
        assert_eq!(read(&with_more), Read::Greeting(greeting));
    }

    #[test]
    fn the_greeting_of_an_old_server_is_one() {
        let mut payload = vec![VERSION_10];
        payload.extend(b"5.1.0\0");
        payload.extend([7, 0, 0, 0]);
        payload.extend(b"abcdefgh\0");
        payload.extend([0x00, 0x82]);
        let old = Greeting {
            capabilities: PROTOCOL_41 | SECURE_CONNECTION,
            method: None,
        };
        assert_eq!(read(&packet(&payload)), Read::Greeting(old));
    }

    #[test]
    fn a_refusal_has_its_code() {
        let blocked = [ERROR, 0x69, 0x04, b'H', b'o', b's', b't'];
        assert_eq!(read(&packet(&blocked)), Read::Error(1129));
    }

    #[test]
    fn what_is_no_greeting_is_told_without_waiting_for_more() {
        for foreign in [
            &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\n",
            &packet(&[9, b'3', b'.', b'2', 0, 1, 2, 3, 4]),
            &packet(&[VERSION_10, 0, 1, 2, 3]),
            &packet(&[VERSION_10, b'8', 0, 1, 2, 3]),
            &packet(&[VERSION_10, 7, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4]),
            &packet(&[ERROR, 1]),
            &[0, 0, 0, 0],
            &[0xff, 0xff, 0xff, 0],
            &[5, 0, 0, 2],
        ] {
            assert_eq!(read(foreign), Read::Foreign, "{foreign:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_verdict(bytes in proptest::collection::vec(any::<u8>(), 0..2 * MOST)) {
            let verdict = read(&bytes);
            prop_assert!(bytes.len() < MOST || verdict != Read::More, "it reads on for ever");
        }

        #[test]
        fn a_greeting_with_any_bytes_changed_or_cut_has_a_verdict(
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8),
            length in any::<proptest::sample::Index>(),
        ) {
            let mut bytes = sample();
            for (place, byte) in changes {
                *place.get_mut(&mut bytes) = byte;
            }
            let cut = &bytes[..=length.index(bytes.len())];
            // Once it is foreign, no more bytes make a greeting of it.
            if read(cut) == Read::Foreign {
                prop_assert_eq!(read(&bytes), Read::Foreign);
            }
        }
    }
}
