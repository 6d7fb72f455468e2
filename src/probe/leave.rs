//! How a client that only wants to know whether somebody is there takes leave.
//!
//! Pure. MySQL counts a client that goes away in the middle of the handshake as a failed one, and after `max_connect_errors` of these in a
//! row it blocks the client's address (error 1129); that may be the address of a node, with all applications on it. By its manual
//! "only protocol handshake errors are counted" (`performance_schema.host_cache`, `SUM_CONNECT_ERRORS`); a sign-in that is denied is none.
//! So the client signs in, as a user that there is not, without a password, and is denied. Promises nothing of other servers.

use super::greeting::{Greeting, HEADER, PLUGIN_AUTH, PROTOCOL_41, SECURE_CONNECTION};

/// Stands in the logs of a server that says who was denied.
const USER: &[u8] = b"taurus-port-operator";

/// What a client says to a greeting; nothing where it is of a protocol so old that it can't.
pub fn answer(greeting: &Greeting) -> Option<Vec<u8>> {
    /// The longest packet that the client would take.
    const LONGEST: u32 = 1 << 24;
    /// `utf8mb3_general_ci`: all servers know it.
    const CHARACTERS: u8 = 33;
    const RESERVED: [u8; 23] = [0; 23];
    let known = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;
    let capabilities = greeting.capabilities & known;
    if capabilities & PROTOCOL_41 == 0 {
        return None;
    }
    let mut payload = Vec::new();
    payload.extend(capabilities.to_le_bytes());
    payload.extend(LONGEST.to_le_bytes());
    payload.push(CHARACTERS);
    payload.extend(RESERVED);
    payload.extend(USER);
    // The end of the name, and an empty answer to the challenge: of no length, or ended by a zero.
    payload.extend([0, 0]);
    if capabilities & PLUGIN_AUTH != 0 {
        payload.extend(greeting.method.as_deref().unwrap_or_default());
        payload.push(0);
    }
    packet(1, &payload)
}

/// What follows a packet of the server: another answer, or nothing, where it has decided.
pub fn reply(said: &[u8]) -> Option<Vec<u8>> {
    const OK: u8 = 0;
    const MORE: u8 = 1;
    const OTHER_METHOD: u8 = 0xfe;
    let (header, payload) = said.split_at_checked(HEADER)?;
    match *payload.first()? {
        // By another method the answer is empty as well.
        MORE | OTHER_METHOD => packet(header.last()?.wrapping_add(1), &[]),
        // There is such a user after all: it says that it leaves.
        OK => packet(0, &[QUIT]),
        _ => None,
    }
}

/// `COM_QUIT`.
const QUIT: u8 = 1;

fn packet(sequence: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let [low, middle, high, 0] = u32::try_from(payload.len()).ok()?.to_le_bytes() else {
        return None;
    };
    let mut packet = vec![low, middle, high, sequence];
    packet.extend(payload);
    Some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::greeting::{self, Read};

    #[test]
    fn it_signs_in_by_the_method_of_the_server_without_a_password() {
        let Read::Greeting(greeting) = greeting::read(&greeting::tests::sample()) else {
            panic!("it is a greeting");
        };
        let answer = answer(&greeting).unwrap();
        assert_eq!(usize::from(answer[0]), answer.len() - HEADER);
        assert_eq!(answer[1..HEADER], [0, 0, 1]);
        let (fixed, rest) = answer[HEADER..].split_at(32);
        assert_eq!(fixed[..4], [0x00, 0x82, 0x08, 0x00]);
        assert_eq!(rest, b"taurus-port-operator\0\0caching_sha2_password\0");
    }

    #[test]
    fn a_server_that_can_do_little_is_asked_for_no_more() {
        let old = |capabilities| Greeting {
            capabilities,
            method: None,
        };
        assert_eq!(answer(&old(SECURE_CONNECTION)), None);
        let answer = answer(&old(PROTOCOL_41)).unwrap();
        assert!(answer.ends_with(b"taurus-port-operator\0\0"));
    }

    #[test]
    fn it_follows_the_server_until_that_has_decided() {
        assert_eq!(
            reply(&[1, 0, 0, 2, 0xfe]).unwrap(),
            [0, 0, 0, 3],
            "another method"
        );
        assert_eq!(reply(&[2, 0, 0, 4, 1, 4]).unwrap(), [0, 0, 0, 5]);
        assert_eq!(reply(&[1, 0, 0, 2, 0]).unwrap(), [1, 0, 0, 0, QUIT]);
        assert_eq!(reply(&[3, 0, 0, 2, 0xff, 0x15, 0x04]), None, "denied");
        for short in [&b""[..], &[1, 0, 0], &[0, 0, 0, 2]] {
            assert_eq!(reply(short), None);
        }
    }
}
