//! What the buttons of the page do.

use std::collections::HashMap;

use actix_web::{
    HttpRequest, HttpResponse,
    error::ErrorNotFound,
    http::header::{self, HeaderValue},
    web,
};
use session_actix::{Key, Session};

use super::api;

pub(crate) const VISITS: Key<u64> = Key::new("visits");
pub(crate) const CART: Key<Vec<String>> = Key::new("cart");
/// Shown once, on the next page.
pub(crate) const NOTICE: Key<String> = Key::new("notice");

/// The shelf of the shop.
pub(crate) const GOODS: [&str; 4] = ["apple", "bread", "coffee", "lamp"];

/// Pages that may be open at the same time with forms that work.
const FORMS: u64 = 8;
const MAX_IN_CART: usize = 20;

type Fields = web::Form<HashMap<String, String>>;

/// Does what a form asks for and sends the browser back to the page.
pub(crate) async fn submit(
    session: Session,
    request: HttpRequest,
    action: web::Path<String>,
    fields: Fields,
) -> actix_web::Result<HttpResponse> {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    if !is_from_our_page(&session, field("token")).await? {
        session.insert(
            NOTICE,
            "That form was sent already, or is out of date. Nothing was changed by this click."
                .to_owned(),
        )?;
        return Ok(back("/"));
    }
    match action.as_str() {
        "visit" => session.insert(VISITS, session.get(VISITS)?.unwrap_or(0))?,
        "add" => {
            let item = GOODS.iter().find(|item| **item == field("item"));
            let item = item.ok_or_else(|| ErrorNotFound("not on the shelf"))?;
            session.update(CART, |cart| with(cart.unwrap_or_default(), item)).await?;
        }
        "drop" => {
            let item = field("item");
            session.update(CART, |cart| without(cart.unwrap_or_default(), item)).await?;
        }
        "login" => {
            let remember = fields.contains_key("remember");
            api::enter(&session, &request, field("user"), remember).await?;
            session.insert(NOTICE, "You are logged in, with a new token.".to_owned())?;
        }
        "logout" => {
            session.destroy().await?;
            return Ok(back("/?left"));
        }
        "renew" => {
            session.renew()?;
            session.insert(NOTICE, "The token was replaced; the old one is dead.".to_owned())?;
        }
        "revoke" => {
            let own = session.handle().map(|handle| handle.to_string());
            let ended = api::end(&session, field("id")).await?;
            if own.as_deref() == Some(field("id")) {
                return Ok(back("/?left"));
            }
            let notice = if ended { "That session was ended." } else { "It had ended already." };
            session.insert(NOTICE, notice.to_owned())?;
        }
        "revoke-others" => {
            let ended = session.revoke_others().await?;
            session.insert(NOTICE, format!("Other sessions ended: {ended}."))?;
        }
        _ => return Err(ErrorNotFound("no such action")),
    }
    Ok(back("/"))
}

fn back(to: &'static str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, HeaderValue::from_static(to)))
        .finish()
}

fn with(mut cart: Vec<String>, item: &str) -> Vec<String> {
    if cart.len() < MAX_IN_CART {
        cart.push(item.to_owned());
    }
    cart
}

fn without(mut cart: Vec<String>, item: &str) -> Vec<String> {
    if let Some(at) = cart.iter().position(|it| it == item) {
        cart.remove(at);
    }
    cart
}

/// A token for the forms of one page, to be used once. Against forged requests, and double clicks.
pub(crate) fn token(session: &Session) -> actix_web::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(actix_web::error::ErrorInternalServerError)?;
    let random = format!("{:032x}", u128::from_ne_bytes(random));
    let number = session.get::<u64>("form")?.unwrap_or(0);
    session.insert("form", number.wrapping_add(1))?;
    let slot = number % FORMS;
    session.insert(format!("form.{slot}"), &random)?;
    Ok(format!("{slot}.{random}"))
}

/// Whether the token is one the page was given and that was not used yet.
///
/// A visitor of whom nothing is stored has no token, and nothing that a forged request could use.
async fn is_from_our_page(session: &Session, token: &str) -> actix_web::Result<bool> {
    if session.is_new() {
        return Ok(true);
    }
    let Some((slot, random)) = token.split_once('.') else { return Ok(false) };
    if slot.parse().is_ok_and(|slot: u64| slot < FORMS) {
        let expected: Option<String> = session.take(format!("form.{slot}")).await?;
        return Ok(expected.as_deref() == Some(random));
    }
    Ok(false)
}
