//! How the cloud comes to believe us. No secret leaves this module but in a request.

pub mod secret;
pub mod signer;
