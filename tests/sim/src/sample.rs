//! The fleet and the credentials that are there when nobody asks for others. All of it is made up.

/// The project.
pub const PROJECT: &str = "3f9a61c20d7e4b58a1c4e80b6d25f713";
/// The project's name, as users of IAM know it; also the region.
pub const REGION: &str = "xx-sim-1";
/// The first instance.
pub const INSTANCE: &str = "e80a4b6f13c2457d9ab05c7712f4d3e6in07";
/// The proxy of [`INSTANCE`].
pub const PROXY: &str = "4d1f0a77c2b94e5f8a6031d7be92c405po01";
/// A second instance, for neighbours that shall not notice.
pub const OTHER_INSTANCE: &str = "5b7c29f0e1d84a36925f0ac4d8e7b163in07";
/// The proxy of [`OTHER_INSTANCE`].
pub const OTHER_PROXY: &str = "a2960c3be5174f8d93c1d05e7b48f62dpo01";
/// The security group of both instances.
pub const SECURITY_GROUP: &str = "70b3e8d5-0f6a-4c1b-b2a9-cc5d1f847e60";
/// The port of both proxies: the documented default.
pub const PORT: u16 = 3306;
/// An access key.
pub const ACCESS_KEY: &str = "SIMULATORACCESSKEY01";
/// Its secret key.
pub const SECRET_KEY: &str = "simulator-secret-key-of-no-worth";
/// The account of [`USER`].
pub const DOMAIN: &str = "sim-account";
/// A user that signs in with a password.
pub const USER: &str = "port-operator";
/// Its password.
pub const PASSWORD: &str = "simulator-password-of-no-worth";

/// As which identity provider [`Accounts::id_token`](crate::Accounts::id_token) takes the tokens of CCE's pod identity: their audience.
pub const POD_IDENTITY: &str = "service.cce.pods";
