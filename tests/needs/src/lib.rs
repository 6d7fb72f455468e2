//! `#[taurus_needs::test]`, for a test that needs programs which a bare checkout lacks.
//!
//! Such a test is written as any other, `async` or not, with the options of `#[tokio::test]`. Where it comes to a program that
//! is not there, it ends early: `taurus_controlplane::needs` says when, what is printed, and who forbids it.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Where the body of a test is run.
const RUN: &str = "::taurus_controlplane::needs::unless_lacking";

/// A test that is left out where a program that it needs is not there.
#[proc_macro_attribute]
pub fn test(options: TokenStream, function: TokenStream) -> TokenStream {
    let mut head: Vec<TokenTree> = function.clone().into_iter().collect();
    let Some(TokenTree::Group(body)) = head.pop() else {
        return function; // The compiler says what is wrong with it.
    };
    let is_async =
        |token: &TokenTree| matches!(token, TokenTree::Ident(it) if it.to_string() == "async");
    let body = if head.iter().any(is_async) {
        in_runtime(options, &body)
    } else {
        TokenTree::Group(body).into()
    };
    head.retain(|token| !is_async(token));
    let run = [
        code(RUN),
        parenthesised([code("||"), body].into_iter().collect()),
    ];
    let run = braced(run.into_iter().collect());
    let head = head.into_iter().collect();
    [code("#[::core::prelude::v1::test]"), head, run]
        .into_iter()
        .collect()
}

/// The body of an `async` test, in the runtime that `#[tokio::test]` would give it.
fn in_runtime(options: TokenStream, body: &Group) -> TokenStream {
    let options = if options.is_empty() {
        code("flavor = \"current_thread\"")
    } else {
        options
    };
    let attribute = [code("::tokio::main"), parenthesised(options)];
    let attribute = Group::new(Delimiter::Bracket, attribute.into_iter().collect());
    let whole = [
        code("#"),
        TokenTree::Group(attribute).into(),
        code("async fn test()"),
        TokenTree::Group(body.clone()).into(),
        code("test()"),
    ];
    braced(whole.into_iter().collect())
}

fn parenthesised(tokens: TokenStream) -> TokenStream {
    TokenTree::Group(Group::new(Delimiter::Parenthesis, tokens)).into()
}

fn braced(tokens: TokenStream) -> TokenStream {
    TokenTree::Group(Group::new(Delimiter::Brace, tokens)).into()
}

/// Tokens of a text that is written here: it is code, as each use of it shows.
fn code(text: &str) -> TokenStream {
    text.parse().unwrap_or_default()
}
