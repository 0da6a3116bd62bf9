mod answers;
mod connecting;
mod exchanges;
mod flights;
mod signing;

use std::{collections::VecDeque, sync::Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use portcullis_gate::OAuth;
use zeroize::Zeroizing;

use crate::{
    client::{Purpose, TokenClient, TokenRequest, TokenResponse, TokenSendError},
    secret::Secret,
    usable::Token,
};

/// A server that answers what it is told to, and keeps what it was sent.
#[derive(Default)]
struct Server {
    answers: Mutex<VecDeque<Result<TokenResponse, TokenSendError>>>,
    asked: Mutex<Vec<Asked>>,
}

/// What it was sent.
#[derive(Clone, Debug)]
struct Asked {
    purpose: Purpose,
    url: String,
    authorization: Option<String>,
    form: Vec<(String, String)>,
}

impl Server {
    fn answering(answers: &[(u16, &str)]) -> Self {
        let answers = answers.iter().map(|(status, body)| Ok(answer(*status, body)));
        Self { answers: Mutex::new(answers.collect()), asked: Mutex::default() }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Asked {
    fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

#[async_trait]
impl TokenClient for Server {
    async fn send(&self, request: TokenRequest) -> Result<TokenResponse, TokenSendError> {
        let authorization = request.headers.get("authorization");
        assert!(authorization.is_none_or(|value| value.is_sensitive()));
        self.asked.lock().unwrap().push(Asked {
            purpose: request.purpose,
            url: request.url,
            authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
            form: url::form_urlencoded::parse(&request.body.unwrap_or_default()).into_owned().collect(),
        });
        self.answers.lock().unwrap().pop_front().expect("nobody asks more often")
    }
}

fn answer(status: u16, body: &str) -> TokenResponse {
    TokenResponse { status, body: Zeroizing::new(body.as_bytes().to_vec()) }
}

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::try_from(text).unwrap()
}

fn token(access: &str, refresh: Option<&str>) -> Token {
    Token {
        access: secret(access),
        refresh: refresh.map(secret),
        received: now(),
        expires: None,
        values: Default::default(),
    }
}

fn declared() -> OAuth {
    OAuth { token_url: Some("https://id.example/token".into()), ..OAuth::default() }
}
