//! Texts that were made fit for people, and what must not be in them.

use proptest::{collection::vec, prelude::*};

use super::*;

#[test]
fn long_texts_are_cut_on_a_character_boundary() {
    for letter in ["x ", "错 ", "é "] {
        let short = excerpt(&letter.repeat(100_000), &[]);
        assert_eq!(short.chars().count(), LONGEST);
        assert!(short.ends_with('…'));
    }
}

#[test]
fn control_characters_and_line_ends_become_single_blanks() {
    assert_eq!(excerpt("  a\r\n\tb\u{0}c\u{1b}[31m ", &[]), "a b c [31m");
}

#[test]
fn secrets_and_what_looks_like_a_token_are_replaced() {
    let token = "MIIC".repeat(30);
    let text = format!("denied for key CANARY-secret, X-Auth-Token:{token} at once");
    let clean = excerpt(&text, &["CANARY", "CANARY-secret", ""]);
    assert_eq!(
        clean,
        "denied for key [redacted], X-Auth-Token:[redacted] at once"
    );
}

#[test]
fn a_secret_with_blanks_is_found_over_line_ends() {
    let clean = excerpt("denied for wonder\r\n\twall", &["wonder wall"]);
    assert_eq!(clean, "denied for [redacted]");
    assert_eq!(excerpt("wonder wall", &[" wonder  wall "]), "[redacted]");
}

#[test]
fn ids_stay_readable() {
    let text = "job 2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541 of 0123456789abcdef0123456789abcdefpo01";
    assert_eq!(excerpt(text, &["other"]), text);
}

#[test]
fn f09_every_way_to_write_a_secret_is_seen_through() {
    let secret = r#"p&ss<w>"or/d'\ä"#;
    for echo in [
        r#"p&ss<w>"or/d'\ä"#,
        r"p&amp;ss&lt;w&gt;&quot;or/d&#39;\ä",
        r"p&amp;ss&lt;w&gt;&quot;or&sol;d&apos;&bsol;&auml;",
        r"p&#38;ss&#x3C;w&#x3e;&#034;or&#47;d&#x27;&#92;&#228;",
        r"p&amp;amp;ss&amp;lt;w&amp;gt;&amp;quot;or/d&amp;#39;\ä",
        r#"p\u0026ss\u003cw\u003e\"or\/d'\\\u00e4"#,
        r"p\x26ss\x3cw\x3e\x22or\x2fd\x27\x5c\xe4",
        "p%26ss%3Cw%3E%22or%2Fd%27%5C%C3%A4",
        "%70%26%73%73%3c%77%3e%22%6f%72%2f%64%27%5c%c3%a4",
        "p%2526ss%253Cw%253E%2522or%252Fd%2527%255C%25C3%25A4",
        "p%u0026ss%u003Cw%u003E%u0022or%u002Fd%u0027%u005C%u00E4",
        "p%26amp%3Bss%26lt%3Bw%26gt%3B%26quot%3Bor/d%26%2339%3B%5C%C3%A4",
        "cCZzczx3PiJvci9kJ1zDpA==",
        "b3BlcmF0b3I6cCZzczx3PiJvci9kJ1zDpA==",
        "dXNlcjpwJnNzPHc-Im9yL2QnXMOk",
        "702673733c773e226f722f64275cc3a4",
        r"p\\u0026\\u0061\\u006d\\u0070\\u003bss\\u0026lt;w>",
        r"%5C%75%30%30%37%30%26ss%3Cw%3E%22or",
        "p&ss<w>\"or",
        "p&amp;ss&l",
        "p%26ss%3",
    ] {
        let clean = excerpt(&format!("denied for {echo}"), &[secret]);
        assert!(clean.contains(REDACTED), "{echo}: {clean}");
        assert!(!shows(&clean, secret), "{echo}: {clean}");
        // What is left of the echo: the user before the password, and padding.
        assert!(
            clean.len() < "denied for ".len() + REDACTED.len() + 16,
            "{echo}: {clean}"
        );
    }
    assert_eq!(
        excerpt("denied for wonder+wall%21", &["wonder wall!"]),
        "denied for [redacted]"
    );
    assert_eq!(
        excerpt(r"hey \ud83d\ude00mile", &["\u{1f600}mile"]),
        "hey [redacted]"
    );
}

#[test]
fn f09_a_bare_signature_is_taken_for_one() {
    let signature = "0123456789abcdef".repeat(4);
    for (text, clean) in [
        (format!("expected {signature}"), "expected [redacted]"),
        (format!("Signature={signature}"), "[redacted]"),
        (format!("is%3A{signature}%20no"), "is%3A[redacted]%20no"),
    ] {
        assert_eq!(excerpt(&text, &[]), clean);
    }
    assert_eq!(
        excerpt(&format!("expected {}", &signature[..20]), &[&signature]),
        "expected [redacted]"
    );
}

#[test]
fn a_secret_of_escapes_that_complete_each_other_needs_no_deep_stack() {
    const LONGEST_SECRET: usize = 32 * 1024;
    for (shape, end, decoded) in [
        ("%3", "1", "1"),
        ("%25", "", ""),
        ("\\x3", "1", "1"),
        ("\\u003", "1", "1"),
        ("%u003", "1", "1"),
        ("&#3", "1;", ""),
        ("&#x3", "b;", ""),
        ("&amp", ";", ""),
    ] {
        let secret = shape.repeat((LONGEST_SECRET - end.len()) / shape.len()) + end;
        let text = format!("denied for {secret}");
        let small = std::thread::Builder::new().stack_size(256 * 1024);
        let cleaning = small.spawn(move || {
            let clean = excerpt(&text, &[&secret]);
            (clean, View::decoded(&secret).bytes)
        });
        let (clean, view) = cleaning.unwrap().join().unwrap();
        assert!(
            clean.starts_with("denied for") && clean.chars().count() <= LONGEST,
            "{shape}"
        );
        assert!(!clean.contains(&shape.repeat(PIECE)), "{shape}: {clean}");
        if !decoded.is_empty() {
            assert_eq!(String::from_utf8(view).unwrap(), decoded, "{shape}");
        }
    }
}

#[test]
fn the_words_of_a_hostile_answer_cost_a_bounded_number_of_steps() {
    let cleaner = Cleaner::new(&["CANARY-secret"]);
    let hostile = "A1".repeat(4 * 1024);
    let cost = |cleaner: &Cleaner<'_>| MOST_OF_WORDS - cleaner.words_left.get();
    assert_eq!(cleaner.word(&hostile, 128), REDACTED);
    assert_eq!(cost(&cleaner), 128 * READ_FOR_EACH, "not the whole");
    // Honest rows before: each is shown.
    for _ in 0..500 {
        assert_eq!(
            cleaner.word("orders-proxy-of-the-shop", 128),
            "orders-proxy-of-the-shop"
        );
    }
    for _ in 0..5_000 {
        assert_eq!(cleaner.word(&hostile, 128), REDACTED);
        assert!(cost(&cleaner) <= MOST_OF_WORDS);
    }
    // What is left is used up; from then on nothing is looked at, and nothing is shown.
    while cleaner.word("x", 40) == "x" {}
    assert_eq!(cost(&cleaner), MOST_OF_WORDS);
    assert_eq!(cleaner.word("for CANARY-secret", 128), REDACTED);
    assert_eq!(cleaner.excerpt("for CANARY-secret"), "for [redacted]");
    // Each byte is unpacked at most 84 times, whatever the text.
    for text in [
        &hostile[..600],
        &"0123456789abcdef".repeat(30),
        &"/+Zz".repeat(100),
    ] {
        let secrets = Secrets::new(&["CANARY-secret"]);
        let view = View::decoded(text).squeezed();
        let (mut found, mut steps) = (Vec::new(), 0);
        packed::look(
            &view,
            &secrets,
            packed::DEEPEST,
            &mut found,
            &mut |unpacked| steps += unpacked,
        );
        assert!(steps <= 84 * text.len(), "{steps} for {}", text.len());
    }
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "the key is unknown &amp; 100% of it: %zz &nosuch; \\u12 \\q",
        "Policy doesn't allow gaussdb:proxy:modifyPort to be performed.",
        "a4b71d0c: cm9sZSBpcyBtaXNzaW5n",
    ] {
        assert_eq!(
            excerpt(text, &["CANARY-secret", "x7", "hunter2hunter2"]),
            text
        );
    }
}

/// How a text is written in another one.
#[derive(Debug, Clone, Copy)]
enum Form {
    Html,
    Decimal,
    Hexadecimal,
    Percent,
    PercentAll,
    Forms,
    Json,
    JsonAscii,
    Slashes,
    Base64(usize),
    Base64Url(usize),
    Hex,
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().concat()
}

fn write(text: &str, form: Form) -> String {
    let each = |write: &dyn Fn(char) -> String| text.chars().map(write).collect::<String>();
    let percent = |letter: char| {
        let mut bytes = [0; 4];
        let bytes = letter.encode_utf8(&mut bytes).bytes();
        joined(bytes.map(|byte| format!("%{byte:02X}")))
    };
    match form {
        Form::Html => html_escape::encode_quoted_attribute(text).into_owned(),
        Form::Decimal => each(&|letter| format!("&#{};", u32::from(letter))),
        Form::Hexadecimal => each(&|letter| format!("&#x{:x};", u32::from(letter))),
        Form::PercentAll => each(&percent),
        Form::Percent => each(&|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '~' => letter.to_string(),
            _ => percent(letter),
        }),
        Form::Forms => url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
        Form::Json => serde_json::to_string(text).unwrap(),
        Form::Slashes => serde_json::to_string(text).unwrap().replace('/', "\\/"),
        Form::JsonAscii => joined(text.encode_utf16().map(|unit| format!("\\u{unit:04x}"))),
        Form::Base64(before) | Form::Base64Url(before) => {
            let bytes = [&b"user:"[..before], text.as_bytes()].concat();
            let text = serde_json::to_string(&k8s_openapi::ByteString(bytes)).unwrap();
            let text = text.trim_matches('"');
            match form {
                Form::Base64Url(_) => {
                    let text = text.replace('+', "-").replace('/', "_");
                    text.trim_end_matches('=').to_owned()
                }
                _ => text.to_owned(),
            }
        }
        Form::Hex => joined(text.bytes().map(|byte| format!("{byte:02x}"))),
    }
}

fn forms() -> impl Strategy<Value = Vec<Form>> {
    let form = prop_oneof![
        Just(Form::Html),
        Just(Form::Decimal),
        Just(Form::Hexadecimal),
        Just(Form::Percent),
        Just(Form::PercentAll),
        Just(Form::Forms),
        Just(Form::Json),
        Just(Form::JsonAscii),
        Just(Form::Slashes),
        (0_usize..4).prop_map(Form::Base64),
        (0_usize..4).prop_map(Form::Base64Url),
        Just(Form::Hex),
    ];
    vec(form, 0..4)
}

/// Whether a text, decoded as far as it can be, holds a piece of the secret.
fn shows(text: &str, secret: &str) -> bool {
    let secrets = Secrets::new(&[secret]);
    let views = [View::as_it_stands(text), View::decoded(text)];
    let plainly = views.iter().any(|view| {
        let bytes = view.squeezed().bytes;
        let pieces: HashSet<_> = bytes.array_windows::<PIECE>().collect();
        let known: Vec<u8> = squeezed(secret.as_bytes());
        known
            .array_windows::<PIECE>()
            .any(|piece| pieces.contains(piece))
    });
    plainly || !packed::find(&View::decoded(text).squeezed(), &secrets).is_empty()
}

proptest! {
    #[test]
    fn no_input_breaks_it_and_no_secret_survives(text in ".{0,400}", secret in "[A-Za-z0-9]{16,40}", at in 0_usize..400) {
        let position = text.char_indices().nth(at).map_or(text.len(), |(index, _)| index);
        let (head, tail) = text.split_at(position);
        let clean = excerpt(&format!("{head}{secret}{tail}"), &[&secret]);
        prop_assert!(clean.chars().count() <= LONGEST);
        prop_assert!(!clean.contains(&secret));
        prop_assert!(!clean.contains(char::is_control));
    }

    #[test]
    fn f09_no_secret_leaks_however_it_is_written_and_wherever_the_echo_is_cut(
        secret in "[ -~äß€😀]{8,40}",
        forms in forms(),
        before in prop_oneof![Just(""), Just("denied for "), Just("{\"key\":\""), Just("<p>"), Just("Basic ")],
        after in prop_oneof![Just(""), Just(" at once"), Just("\"}"), Just("</p>")],
        kept in 0.0_f64..=1.0,
    ) {
        // Keys of Secrets are trimmed.
        prop_assume!(secret.trim() == secret && squeezed(secret.as_bytes()).len() >= PIECE);
        let written = forms.iter().fold(secret.clone(), |text, form| write(&text, *form));
        let whole = format!("{before}{written}{after}");
        let short = excerpt(&whole, &[&secret]);
        prop_assert!(!short.contains(&secret) && !short.contains(&written), "{short}");
        prop_assert!(!shows(&short, &secret), "{short}");
        let length = whole.chars().count();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share of a length")]
        let kept = (length as f64 * kept) as usize;
        let cut: String = whole.chars().take(kept).collect();
        let short = excerpt(&cut, &[&secret]);
        prop_assert!(!shows(&short, &secret), "{cut}: {short}");
        // Not only what this module decodes counts: no long piece of the echo itself is left, either.
        let most = PIECE * (written.chars().count() / secret.chars().count() + 2);
        let letters: Vec<char> = written.chars().collect();
        for piece in letters.windows(most.max(PIECE * 2)) {
            let piece: String = piece.iter().collect();
            prop_assert!(!short.contains(&folded(&piece)), "{piece} is in {short}");
        }
    }

    #[test]
    fn what_is_clean_stays_as_it_is(text in ".{0,400}") {
        let clean = excerpt(&text, &[]);
        prop_assert_eq!(excerpt(&clean, &[]), clean);
    }
}

#[test]
fn n06_a_text_that_was_a_secret_as_a_whole_says_nothing() {
    for (text, says) in [
        ("[redacted]", false),
        (" [redacted]: [redacted]. ", false),
        ("", false),
        ("user [redacted]", true),
    ] {
        assert_eq!(says_something(text), says, "{text}");
    }
}
