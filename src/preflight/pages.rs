//! Lists of the API server, in pages that are bounded in bytes, whatever tenants have put into their objects.
//!
//! Relies on the API server's tokens for what comes after a page. Promises that no more of an answer is held than a page may have, that
//! objects are decoded one by one, and that the end of a list that was not read to its end says why.

use http_body_util::BodyExt as _;
use kube::{
    Client, Error,
    api::ListParams,
    client::Body,
    core::{Request, Status},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// No more is held of an answer that says no, in bytes.
const REFUSAL: usize = 64 << 10;

/// How much is read of one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many objects are asked for at once.
    pub page: u32,
    /// How long an answer may be, in bytes; a longer one is given up, and asked for again with half of the objects.
    pub page_bytes: usize,
    /// How long the text of an object may be, in bytes; a longer one is passed over.
    pub object_bytes: usize,
    /// How many objects are looked at.
    pub objects: u32,
    /// How many bytes are received in all.
    pub bytes: usize,
    /// How much memory what is kept of the objects may take, in bytes, as it is estimated.
    pub kept: usize,
}

/// Where reading has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// At the end of the list.
    Whole,
    /// There are more objects than are looked at.
    TooMany,
    /// There are more bytes than are read, or some objects could not be decoded.
    TooLarge,
}

/// A list to read.
pub struct Listing<'a> {
    /// Asks for it.
    pub client: &'a Client,
    /// Its path.
    pub path: String,
    /// Whether only metadata is asked for.
    pub metadata_alone: bool,
    /// How much of it is read.
    pub bounds: Bounds,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    metadata: Meta,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    #[serde(rename = "continue")]
    token: Option<String>,
}

impl Listing<'_> {
    /// Hands over one object after another, until there is none left or `take` says that there is no room for more.
    ///
    /// # Errors
    ///
    /// A page could not be read. What was handed over before stands.
    pub async fn each<T: DeserializeOwned>(
        &self,
        mut take: impl FnMut(T) -> bool + Send,
    ) -> Result<End, Error> {
        let bounds = &self.bounds;
        let mut limit = bounds.page;
        let mut token: Option<String> = None;
        let (mut objects, mut bytes) = (0_u32, 0_usize);
        let mut end = End::Whole;
        loop {
            let room = bounds.page_bytes.min(bounds.bytes.saturating_sub(bytes));
            let request = self.request(limit, token.as_deref())?;
            let Some(text) = answer(self.client, request, room).await? else {
                bytes = bytes.saturating_add(room);
                if limit <= 1 || bytes >= bounds.bytes {
                    return Ok(End::TooLarge);
                }
                limit /= 2;
                continue;
            };
            bytes = bytes.saturating_add(text.len());
            let page: Page<'_> = serde_json::from_slice(&text).map_err(Error::SerdeError)?;
            for object in page.items.unwrap_or_default() {
                if objects >= bounds.objects {
                    return Ok(End::TooMany);
                }
                objects = objects.saturating_add(1);
                let text = object.get();
                let decoded = (text.len() <= bounds.object_bytes)
                    .then(|| serde_json::from_str(text).ok())
                    .flatten();
                let Some(object) = decoded else {
                    end = End::TooLarge;
                    continue;
                };
                if !take(object) {
                    return Ok(End::TooLarge);
                }
            }
            token = page.metadata.token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(end);
            }
            if objects >= bounds.objects {
                return Ok(End::TooMany);
            }
        }
    }

    fn request(&self, limit: u32, token: Option<&str>) -> Result<http::Request<Vec<u8>>, Error> {
        let params = ListParams {
            limit: Some(limit),
            continue_token: token.map(str::to_owned),
            ..ListParams::default()
        };
        let asking = Request::new(self.path.as_str());
        let request = if self.metadata_alone {
            asking.list_metadata(&params)
        } else {
            asking.list(&params)
        };
        request.map_err(Error::BuildRequest)
    }
}

/// The text of an answer; nothing where it is longer than `room`, in bytes.
///
/// # Errors
///
/// The API server did not answer, or said no.
pub async fn answer(
    client: &Client,
    request: http::Request<Vec<u8>>,
    room: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let response = client.send(request.map(Body::from)).await?;
    let code = response.status();
    if code.is_success() {
        return collected(response.into_body(), room).await;
    }
    let text = collected(response.into_body(), REFUSAL).await?;
    let said = serde_json::from_slice::<Status>(&text.unwrap_or_default());
    let status = said.unwrap_or_else(|_| {
        let status = Status::failure("the answer is none of an API server", "Unreadable");
        status.with_code(code.as_u16())
    });
    Err(Error::Api(status.boxed()))
}

async fn collected(mut body: Body, room: usize) -> Result<Option<Vec<u8>>, Error> {
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if data.len() > room.saturating_sub(text.len()) {
            return Ok(None);
        }
        text.extend_from_slice(&data);
    }
    Ok(Some(text))
}

#[cfg(test)]
mod tests;
