//! HTTP/2 and web sockets.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use actix_web::{HttpRequest, HttpResponse, rt, web};
use futures_util::{StreamExt, future::poll_fn};
use session_actix::Session;
use session_core::ErrorKind;

use crate::support::{Browser, Faulty, Server, kind, sessions};

async fn who(session: Session) -> actix_web::Result<String> {
    Ok(session.get::<String>("who")?.unwrap_or_else(|| "nobody".to_owned()))
}

async fn become_ada(session: Session) -> actix_web::Result<&'static str> {
    session.insert("who", "ada")?;
    Ok("")
}

async fn end(session: Session) -> actix_web::Result<&'static str> {
    session.destroy().await?;
    Ok("")
}

/// Answers each message with whether the session lives, and whether it can be changed.
async fn socket(
    session: Session,
    request: HttpRequest,
    body: web::Payload,
) -> actix_web::Result<HttpResponse> {
    session.insert("who", "ada")?;
    let (response, mut socket, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(_)) = messages.next().await {
            let live = session.is_live().await.unwrap();
            let refused = kind(session.insert("late", 1)) == Some(ErrorKind::Finished);
            socket.text(format!("{live} {refused}")).await.unwrap();
        }
    });
    Ok(response)
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(who))
        .route("/", web::post().to(become_ada))
        .route("/end", web::post().to(end))
        .route("/socket", web::get().to(socket));
}

/// Sends requests over one HTTP/2 connection: a method and `Cookie` fields, and what is answered.
async fn http2(server: &Server, method: &str, cookies: &[&str]) -> (http::HeaderMap, String) {
    let stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    rt::spawn(async move {
        let _ = connection.await;
    });
    let mut client = client.ready().await.unwrap();
    let mut request = http::Request::builder().method(method).uri("http://localhost/");
    for cookie in cookies {
        request = request.header("cookie", *cookie);
    }
    let (response, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
    let (head, mut body) = response.await.unwrap().into_parts();
    assert_eq!(head.version, http::Version::HTTP_2);
    let mut text = Vec::new();
    while let Some(chunk) = poll_fn(|context| body.poll_data(context)).await {
        text.extend_from_slice(&chunk.unwrap());
    }
    (head.headers, String::from_utf8(text).unwrap())
}

#[actix_web::test]
async fn over_http2_the_cookie_may_come_in_fields_of_its_own() {
    let server = Server::start(sessions(&Faulty::default()), routes);
    let (headers, _) = http2(&server, "POST", &[]).await;
    let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
    let [cookie] = &cookies[..] else { panic!("{cookies:?}") };
    let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
    assert_eq!(http2(&server, "GET", &[]).await.1, "nobody");
    assert_eq!(http2(&server, "GET", &[cookie]).await.1, "ada");
    assert_eq!(http2(&server, "GET", &["a=b", cookie, "c=d"]).await.1, "ada");
    assert_eq!(http2(&server, "GET", &[&format!("a=b; {cookie}"), "c"]).await.1, "ada");
}

/// Sends one masked message and reads the answer.
fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(&[0x81, 0x81, 0, 0, 0, 0, b'?']).unwrap();
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[0], 0x81, "one whole text message");
    let mut text = vec![0; usize::from(head[1])];
    stream.read_exact(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn a_web_socket_is_saved_before_it_opens_and_sees_the_session_end() {
    let server = Server::start(sessions(&Faulty::default()), routes);
    let mut stream = TcpStream::connect(server.addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let value = head.split("__Host-sid=").nth(1).unwrap().split(';').next().unwrap();
    let mut browser = Browser { cookie: Some(value.to_owned()), ..Browser::new(server.addr) };
    assert_eq!(browser.get("/").body, "ada");
    assert_eq!(ask(&mut stream), "true true");
    assert_eq!(browser.post("/end").status, 200);
    assert_eq!(ask(&mut stream), "false true");
}
