//! The page for people.

use std::{fmt::Write, time::Duration};

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;
use session_actix::Session;
use session_core::{ErrorKind, SessionInfo, Timestamp};

use super::{
    api,
    forms::{self, CART, GOODS, NOTICE, VISITS},
    html::{Safe, button},
    site::Site,
};

/// Shows what the session has, and counts the visit if there is a session at all.
pub(crate) async fn show(
    session: Session,
    request: HttpRequest,
    site: web::Data<Site>,
) -> actix_web::Result<HttpResponse> {
    let mut notice = match request.query_string() {
        "left" => Some("You are logged out. The session is gone, here and on the server.".into()),
        "ended" => Some("This session was ended from another browser.".to_owned()),
        _ => None,
    };
    let mut token = String::new();
    let mut sessions = Vec::new();
    if !session.is_new() {
        token = forms::token(&session)?;
        if session.contains_key(NOTICE.name()) {
            notice = session.take(NOTICE).await?.or(notice);
        }
        if session.contains_key(VISITS.name()) {
            session.update(VISITS, |visits| visits.unwrap_or(0) + 1).await?;
        }
        sessions = match session.sessions().await {
            // The store cannot list.
            Err(error) if error.kind() == ErrorKind::Config => Vec::new(),
            sessions => sessions?,
        };
    }
    let page = Page { session: &session, token: &token, site: &site };
    let parts = [
        page.visits()?,
        page.cart()?,
        page.user(),
        page.sessions(sessions),
        page.contents()?,
        page.ends(),
        page.cookie(),
    ];
    let body = parts.concat();
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(document(
        !session.is_new(),
        notice.as_deref(),
        &body,
    )))
}

struct Page<'a> {
    session: &'a Session,
    token: &'a str,
    site: &'a Site,
}

impl Page<'_> {
    fn button(&self, action: &str, fields: &[(&str, &str)], text: &str) -> String {
        button(action, fields, self.token, text)
    }

    fn visits(&self) -> actix_web::Result<String> {
        Ok(section(
            "Visits",
            &match self.session.get(VISITS)? {
                Some(visits) => format!(
                    "<p class=big><output>{visits}</output></p>\
                 <p>Reload the page, restart the server, kill it: the count goes on.</p>"
                ),
                None => format!(
                    "<p>Nothing is counted and nothing is stored for you yet, and you have no cookie \
                 for it. That takes a click.</p>{}",
                    self.button("visit", &[], "Count my visits")
                ),
            },
        ))
    }

    fn cart(&self) -> actix_web::Result<String> {
        let cart = self.session.get(CART)?.unwrap_or_default();
        let mut html = String::new();
        if cart.is_empty() {
            html += "<p>Your cart is empty.</p>";
        } else {
            html += "<ul class=rows>";
            for item in &cart {
                let item = Safe(item);
                let drop = self.button(
                    "drop",
                    &[("item", item.0)],
                    &format!("Take out<span class=sr> {item}</span>"),
                );
                let _ = write!(html, "<li><span>{item}</span>{drop}</li>");
            }
            html += "</ul>";
        }
        html += "<div class=row>";
        for item in GOODS {
            html += &self.button("add", &[("item", item)], &format!("Add {item}"));
        }
        Ok(section("Cart", &(html + "</div>")))
    }

    fn user(&self) -> String {
        section(
            "You",
            &match self.session.principal() {
                Some(user) => format!(
                    "<p>Logged in as <strong>{}</strong>{}.</p><div class=row>{}{}</div>",
                    Safe(&user),
                    if self.session.permanent() { ", remembered" } else { "" },
                    self.button("logout", &[], "Log out"),
                    self.button("renew", &[], "Replace the token"),
                ),
                None => format!(
                    "<p>Take any name: the demo asks for no password. What is in the cart stays.</p>\
                 <form method=post action=/do/login class=login>\
                 <input type=hidden name=token value=\"{}\">\
                 <label for=user>Name</label>\
                 <input id=user name=user required maxlength=64 autocomplete=username>\
                 <label class=check><input type=checkbox name=remember> Remember me for 31 days</label>\
                 <button>Log in</button></form>",
                    Safe(self.token),
                ),
            },
        )
    }

    fn sessions(&self, mut sessions: Vec<SessionInfo>) -> String {
        if self.session.principal().is_none() {
            return String::new();
        }
        let own = self.session.handle();
        sessions.sort_by_key(|it| (Some(it.handle) != own, std::cmp::Reverse(it.last_seen_at)));
        let mut html = String::from(
            "<p>Log in with the same name in another browser and end one of them here.</p>\
             <ul class=rows>",
        );
        for it in &sessions {
            let here = Some(it.handle) == own;
            let label = it.label.as_deref().unwrap_or("unknown browser");
            let short: String = label.chars().take(90).collect();
            let _ = write!(
                html,
                "<li{}><span>{}{}<small>since {}, last seen {}</small></span>{}</li>",
                if here { " aria-current=true" } else { "" },
                if here { "<strong>This browser</strong> · " } else { "" },
                Safe(short),
                time(it.created_at),
                time(it.last_seen_at),
                self.button("revoke", &[("id", &it.handle.to_string())], "End"),
            );
        }
        html += "</ul>";
        if sessions.len() > 1 {
            html += &self.button("revoke-others", &[], "End all others");
        }
        section("Your sessions", &html)
    }

    fn contents(&self) -> actix_web::Result<String> {
        let entries = self.session.entries::<Value>()?;
        let mut rows = String::new();
        for (key, value) in entries.iter().filter(|(key, _)| !key.starts_with("form")) {
            let _ = write!(
                rows,
                "<tr><th scope=row>{}<td><code>{}</code>",
                Safe(key),
                Safe(value.to_string())
            );
        }
        let forms = entries.keys().filter(|key| key.starts_with("form.")).count();
        if forms > 0 {
            let _ = write!(rows, "<tr><th scope=row>form<td>{forms} one-time tokens of open pages");
        }
        let html = if rows.is_empty() {
            "<p>Nothing.</p>".to_owned()
        } else {
            format!(
                "<p>On the server, sealed. The browser has none of it.</p>\
                 <div class=wide><table><thead><tr><th scope=col>Key<th scope=col>Value\
                 <tbody>{rows}</table></div>"
            )
        };
        Ok(section("What is stored for you", &html))
    }

    fn ends(&self) -> String {
        let (Some(idle), Some(deadline)) = (self.session.expires_at(), self.session.deadline())
        else {
            return String::new();
        };
        let html = format!(
            "<dl><dt>If you do not come back<dd>{}<dt>However busy you are<dd>{}</dl>\
             <p>The server decides, whatever the browser does with its cookie. Every visit moves the \
             first time; only a login moves the second.</p>",
            time(idle),
            time(deadline),
        );
        section("When it ends", &html)
    }

    fn cookie(&self) -> String {
        let site = self.site;
        let mut rows = Vec::new();
        let host = "Taken from this host only, over TLS or on localhost: no other site of the \
                    domain can plant one.";
        if site.cookie_name.starts_with("__Host-") {
            rows.push(("__Host-".to_owned(), host));
        }
        rows.extend([
            (
                format!("Max-Age up to {}", human(site.lifetime)),
                "The browser forgets it when the session is over for certain.",
            ),
            ("Path=/".to_owned(), "Sent with every request to this host."),
        ]);
        if site.secure {
            rows.push(("Secure".to_owned(), "Never sent where somebody on the way could read it."));
        }
        rows.extend([
            ("HttpOnly".to_owned(), "No script of a page can read it."),
            (
                "SameSite=Lax".to_owned(),
                "Other sites can link here, and cannot send forms in your name.",
            ),
        ]);
        let mut html = format!(
            "<p>One cookie, <code>{}</code>: a random token and a signature. It says nothing about \
             you, and it is sent when it changes only. A session nobody uses ends after {}.</p><dl>",
            Safe(&site.cookie_name),
            human(site.idle),
        );
        for (attribute, meaning) in rows {
            let _ = write!(html, "<dt><code>{attribute}</code><dd>{meaning}");
        }
        section("The cookie", &(html + "</dl>"))
    }
}

fn section(title: &str, html: &str) -> String {
    let id = title.to_lowercase().replace(' ', "-");
    format!("<section aria-labelledby={id}><h2 id={id}>{title}</h2>{html}</section>")
}

fn document(live: bool, notice: Option<&str>, body: &str) -> String {
    let notice = notice.map_or_else(String::new, |notice| {
        format!("<p role=status class=notice>{}</p>", Safe(notice))
    });
    let live = if live { " data-live=yes" } else { "" };
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width, initial-scale=1\">\
         <meta name=color-scheme content=\"light dark\"><title>Sessions</title>\
         <link rel=stylesheet href=/static/style.css><script src=/static/live.js defer></script></head>\
         <body{live}><a class=skip href=#main>To the content</a>\
         <header><h1>Sessions</h1><p>What a server-side session does, to try out.</p></header>\
         <main id=main>{notice}{body}</main>\
         <footer><a href=/>Reload</a> · <a href=/api/session>This session as JSON</a></footer>\
         </body></html>"
    )
}

fn time(time: Timestamp) -> String {
    let exact = api::rfc3339(time);
    let shown = exact.get(..16).unwrap_or_default().replace('T', " ");
    format!("<time datetime={exact}>{shown} UTC</time>")
}

fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    for (unit, length) in [("day", 24 * 60 * 60), ("hour", 60 * 60), ("minute", 60)] {
        let count = seconds / length;
        if count > 0 && seconds.is_multiple_of(length) {
            return format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
        }
    }
    format!("{seconds} seconds")
}
