//! The README, followed by somebody who starts a project with it, and with the examples it names.

use testkit::Browser;

use crate::support::Program;

const README: &str = include_str!("../../README.md");
const LOGIN: &str = include_str!("../../examples/login.rs");
const FORMS: &str = include_str!("../../examples/forms.rs");
const POST_BACK: &str = include_str!("../../examples/post_back.rs");

/// The first block of code of a language, as it stands.
fn block(language: &str) -> &'static str {
    let rest = README.split_once(&format!("```{language}\n")).expect("a block of code").1;
    rest.split_once("```").expect("the end of it").0
}

#[test]
fn the_readme_makes_a_project_that_counts_visits() {
    let program = Program::start("first-steps", block("toml"), block("rust"));
    let mut browser = program.browser();
    for visit in 1..=2 {
        let page = browser.get("/");
        assert_eq!((page.status, page.body), (200, format!("visit {visit}\n")));
    }
    assert_eq!(program.browser().get("/").body, "visit 1\n");
    assert!(program.log().contains("INFO"), "it shows what happens: {}", program.log());
    let said = program.says_without_a_key();
    assert!(said.contains("there is no key file session.key: make one, (umask 077;"), "{said}");
}

#[test]
fn the_example_of_logins_logs_in_and_out_and_ends_sessions_elsewhere() {
    let dependencies =
        format!("{}serde = {{ version = \"1\", features = [\"derive\"] }}\n", block("toml"));
    let program = Program::start("login", &dependencies, LOGIN);
    let (mut here, mut elsewhere) = (program.browser(), program.browser());
    assert_eq!(here.form("/login", "user=alice&password=guess").status, 401);
    assert_eq!(here.get("/").status, 401);
    for browser in [&mut here, &mut elsewhere] {
        let right = "user=alice&password=correct+horse+battery+staple";
        assert_eq!(browser.form("/login", right).status, 204);
    }
    assert_eq!(here.get("/").body, "alice, logged in 2 times\n");
    assert_eq!(here.post("/logout-elsewhere").body, "1 sessions ended\n");
    assert_eq!(elsewhere.get("/").status, 401);
    assert_eq!(here.get("/").status, 200);
    assert_eq!(here.post("/logout").status, 204);
    assert_eq!(here.get("/").status, 401);
}

#[test]
fn the_example_of_forms_takes_a_form_once_and_shows_its_message_once() {
    let dependencies = format!(
        "{}getrandom = \"0.4\"\nserde = {{ version = \"1\", features = [\"derive\"] }}\n",
        block("toml")
    );
    let program = Program::start("forms", &dependencies, FORMS);
    let mut browser = program.browser();
    let (first, second) = (order(&browser.get("/").body), order(&browser.get("/").body));
    assert_eq!(browser.form("/", "token=guess").status, 403);
    let page = browser.get("/").body;
    assert!(!page.contains("placed"), "{page}");
    for form in [first, second] {
        assert_eq!(browser.form("/", &form).status, 303, "of each tab, whatever was guessed");
        assert_eq!(browser.form("/", &form).status, 403, "a second time");
    }
    let page = browser.get("/").body;
    assert!(page.contains("Your order is placed."), "{page}");
    let page = browser.get("/").body;
    assert!(!page.contains("placed"), "{page}");
}

#[test]
fn the_example_of_a_post_from_another_site_leaves_the_visitor_his_session() {
    let dependencies = format!(
        "{}getrandom = \"0.4\"\nserde = {{ version = \"1\", features = [\"derive\"] }}\n",
        block("toml")
    );
    let program = Program::start("post-back", &dependencies, POST_BACK);
    let mut visitor = program.browser();
    assert_eq!(visitor.get("/thanks").body, "orders: 0\n");
    let mut away = Browser { name: "__Host-away", ..program.browser() };
    let page = away.get("/pay");
    assert!(page.header("set-cookie").unwrap().ends_with("; Secure; HttpOnly; SameSite=None"));
    let answer = format!("state={}", token(&page.body));
    assert_eq!(away.form("/paid", "state=guess").status, 403);
    // It comes without the visitor's cookie, and sets none.
    let back = away.form("/paid", &answer);
    assert_eq!((back.status, back.header("location")), (303, Some("/thanks")));
    assert_eq!(back.header("set-cookie"), None);
    assert_eq!(away.form("/paid", &answer).status, 403, "a second time");
    let cookies = format!(
        "__Host-sid={}; __Host-away={}",
        visitor.cookie.as_ref().unwrap(),
        away.cookie.unwrap()
    );
    for _ in 0..2 {
        let thanks = visitor.send_with("GET", "/thanks", cookies.as_bytes(), "");
        assert_eq!(thanks.body, "orders: 1\n");
    }
}

/// The fields of the form on a page.
fn order(page: &str) -> String {
    format!("token={}", token(page))
}

fn token(page: &str) -> &str {
    let token = page.split("value=").nth(1).and_then(|rest| rest.split('>').next());
    token.expect("a form with a token")
}
