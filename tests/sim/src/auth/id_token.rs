//! ID tokens of OpenID Connect, as an identity provider of IAM judges them: JSON Web Tokens (RFC 7519), signed with ES256 or RS256
//! (RFC 7518) by a key of a set (RFC 7517).
//!
//! Promises that one with another issuer, audience or subject, one that has ended, and one that none of the keys has signed is not
//! accepted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

use crate::accounts::IdentityProvider;

/// A point of a curve that is not compressed begins so (SEC 1).
const WHOLE_POINT: u8 = 4;

/// Whether a provider believes a token at this time of the real clock.
pub(super) fn is_believed(provider: &IdentityProvider, token: &str, wall: Timestamp) -> bool {
    judge(provider, token, wall).is_some()
}

fn judge(provider: &IdentityProvider, token: &str, wall: Timestamp) -> Option<()> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let (header, claims) = (json(header)?, json(claims)?);
    let signature = decoded(signature)?;
    let mut keys = provider.keys.get("keys")?.as_array()?.iter();
    let is_signed = keys.any(|key| verify(key, &header, signed.as_bytes(), &signature).is_some());
    let audience = claims.get("aud")?;
    let is_meant = match audience {
        Value::Array(all) => all.iter().any(|one| *one == *provider.client_id),
        one => *one == *provider.client_id,
    };
    let is_issued = claims.get("iss")? == provider.issuer.as_str();
    let lasts = wall.as_second() < claims.get("exp")?.as_i64()?;
    let subject = claims.get("sub")?.as_str()?;
    let is_known = provider.subjects.iter().any(|known| known == subject);
    (is_signed && is_meant && is_issued && lasts && is_known).then_some(())
}

fn verify(key: &Value, header: &Value, signed: &[u8], signature: &[u8]) -> Option<()> {
    let part = |name: &str| key.get(name)?.as_str().and_then(decoded);
    match header.get("alg")?.as_str()? {
        "ES256" => {
            let point = [vec![WHOLE_POINT], part("x")?, part("y")?].concat();
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
            key.verify(signed, signature).ok()
        }
        "RS256" => {
            let key = RsaPublicKeyComponents {
                n: part("n")?,
                e: part("e")?,
            };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
                .ok()
        }
        _ => None,
    }
}

fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&decoded(part)?).ok()
}

fn decoded(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    struct Cluster {
        key: EcdsaKeyPair,
        random: SystemRandom,
    }

    impl Cluster {
        fn new() -> Self {
            let random = SystemRandom::new();
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
            Self { key, random }
        }

        fn provider(&self) -> IdentityProvider {
            let (_, point) = self.key.public_key().as_ref().split_first().unwrap();
            let (x, y) = point.split_at(32);
            let [x, y] = [x, y].map(|part| URL_SAFE_NO_PAD.encode(part));
            IdentityProvider {
                name: "cce".to_owned(),
                issuer: "https://kubernetes.default.svc".to_owned(),
                client_id: "iam".to_owned(),
                keys: json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y}]}),
                subjects: vec!["system:serviceaccount:shop:ports".to_owned()],
            }
        }

        fn token(&self, change: impl FnOnce(&mut Value)) -> String {
            let mut claims = json!({
                "iss": "https://kubernetes.default.svc",
                "aud": ["iam"],
                "sub": "system:serviceaccount:shop:ports",
                "exp": NOW + 1,
            });
            change(&mut claims);
            let parts = [json!({"alg": "ES256"}), claims];
            let signed = parts
                .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()))
                .join(".");
            let signature = self.key.sign(&self.random, signed.as_bytes()).unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    #[test]
    fn a_token_has_to_be_of_this_issuer_for_this_audience_and_subject_signed_and_not_ended() {
        let (cluster, other) = (Cluster::new(), Cluster::new());
        let provider = cluster.provider();
        let believed = |token: &str| {
            let now = Timestamp::from_second(NOW).unwrap();
            is_believed(&provider, token, now)
        };
        assert!(believed(&cluster.token(|_| ())));
        assert!(believed(
            &cluster.token(|claims| claims["aud"] = json!("iam"))
        ));
        for (claim, wrong) in [
            ("iss", json!("https://elsewhere")),
            ("aud", json!(["https://kubernetes.default.svc"])),
            ("sub", json!("system:serviceaccount:other:ports")),
            ("exp", json!(NOW)),
            ("exp", Value::Null),
        ] {
            let token = cluster.token(|claims| claims[claim] = wrong);
            assert!(!believed(&token), "{claim}");
        }
        assert!(!believed(&other.token(|_| ())), "signed by another key");
        for odd in ["", ".", "..", "a.b.c", "e30.e30.e30"] {
            assert!(!believed(odd), "{odd}");
        }
    }
}
