//! The demo in a real browser, as somebody uses it.

use demo_tests::{Browser, Demo, Driver};
use thirtyfour::common::cookie::SameSite;

fn log_in(browser: &Browser, name: &str) {
    browser.write("user", name);
    browser.click("Log in");
    browser.wait_for(&format!("Logged in as {name}"));
}

/// What is shown as the number of visits.
fn visits(browser: &Browser) -> Option<u64> {
    browser.script("return document.querySelector('output')?.innerText").as_str()?.parse().ok()
}

#[test]
fn visits_are_counted_from_the_first_click_and_by_each_reload() {
    let (driver, demo) = (Driver::start(), Demo::start());
    let browser = Browser::open(&driver, &demo.url());
    browser.wait_for("Nothing is counted");
    assert!(browser.cookies().is_empty(), "a visitor without data has no cookie");
    browser.click("Count my visits");
    for expected in 1..=3 {
        browser.wait("visits", || visits(&browser).filter(|it| *it == expected));
        browser.go("/");
    }
}

#[test]
fn the_browser_stores_one_cookie_that_no_script_and_no_other_site_gets() {
    let (driver, demo) = (Driver::start(), Demo::start());
    let browser = Browser::open(&driver, &demo.url());
    log_in(&browser, "ada");
    let cookies = browser.cookies();
    let [cookie] = &*cookies else { panic!("one cookie: {cookies:?}") };
    assert_eq!(cookie.name, "__Host-sid");
    assert_eq!((cookie.secure, cookie.http_only), (Some(true), Some(true)));
    assert_eq!(cookie.same_site, Some(SameSite::Lax));
    assert_eq!((cookie.path.as_deref(), cookie.domain.as_deref()), (Some("/"), Some("localhost")));
    assert!(cookie.expiry.is_some(), "it has an end");
    assert_eq!(browser.script("return document.cookie"), "");
    let before = cookie.value.clone();
    browser.click("Replace the token");
    browser.wait_for("The token was replaced");
    assert_ne!(browser.cookies()[0].value, before);
    browser.click("Log out");
    browser.wait_for("You are logged out");
    assert!(browser.cookies().is_empty(), "forgotten at the logout");
}

#[test]
fn a_session_revoked_in_one_browser_is_logged_out_in_the_other_at_once() {
    let (driver, demo) = (Driver::start(), Demo::start());
    let (here, there) = (Browser::open(&driver, &demo.url()), Browser::open(&driver, &demo.url()));
    log_in(&here, "ada");
    log_in(&there, "ada");
    here.go("/");
    here.click("End all others");
    here.wait_for("Other sessions ended: 1.");
    // Nobody touches the other browser: its page hears of it.
    let shown = there.wait_for("This session was ended from another browser.");
    assert!(!shown.contains("ada"), "{shown}");
    there.go("/");
    assert!(!there.wait_for("Take any name").contains("ada"));
    here.go("/");
    here.wait_for("Logged in as ada");
}

#[test]
fn two_browsers_of_one_user_stay_logged_in_over_kill_9_of_the_server() {
    let (driver, mut demo) = (Driver::start(), Demo::start());
    let (one, two) = (Browser::open(&driver, &demo.url()), Browser::open(&driver, &demo.url()));
    log_in(&one, "ada");
    log_in(&two, "ada");
    one.click("Add coffee");
    one.wait_for("[\"coffee\"]");
    demo.restart_after_kill_9();
    for browser in [&one, &two] {
        browser.go("/");
        browser.wait_for("Logged in as ada");
    }
    assert!(one.text().contains("[\"coffee\"]") && !two.text().contains("coffee\"]"));
    // The sessions of before the restart know each other.
    one.click("End all others");
    one.wait_for("Other sessions ended: 1.");
    two.wait_for("This session was ended");
}

#[test]
fn back_after_a_logout_shows_nothing_private() {
    let (driver, demo) = (Driver::start(), Demo::start());
    let browser = Browser::open(&driver, &demo.url());
    log_in(&browser, "ada");
    browser.click("Add lamp");
    browser.wait_for("[\"lamp\"]");
    browser.go("/api/session");
    browser.wait_for("\"principal\":\"ada\"");
    browser.go("/");
    browser.wait_for("Logged in as ada");
    browser.click("Log out");
    browser.wait_for("You are logged out");
    let private = |shown: &str| ["ada", "lamp\"]", "Logged in"].iter().any(|it| shown.contains(it));
    // To the page of before the logout, and to the one before that.
    browser.go_back();
    let shown = browser.wait_for("Take any name");
    assert!(!private(&shown), "{shown}");
    assert_ne!(browser.script("return document.getElementById('user').value"), "ada");
    browser.go_back();
    let shown = browser.wait_for("\"new\":true");
    assert!(!private(&shown), "{shown}");
}

#[test]
fn the_page_fits_every_screen_in_light_and_dark() {
    let (driver, demo) = (Driver::start(), Demo::start());
    let browser = Browser::open(&driver, &demo.url());
    browser.click("Count my visits");
    browser.wait("visits", || visits(&browser));
    log_in(&browser, "ada");
    browser.click("Add coffee");
    browser.wait_for("Take out");
    let background = || {
        let script = "return getComputedStyle(document.documentElement).backgroundColor + \
                      getComputedStyle(document.body).backgroundColor";
        browser.script(script)
    };
    browser.look(1280, "light");
    let light = background();
    browser.picture("light");
    browser.look(1280, "dark");
    assert_ne!(background(), light);
    browser.picture("dark");
    for width in [390, 320] {
        browser.look(width, "light");
        let widths = "return document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.script(widths), true, "nothing to scroll sideways at {width} pixels");
        let file = browser.picture(&format!("phone-{width}"));
        let png = std::fs::read(file).expect("it was written");
        assert!(png.starts_with(b"\x89PNG"));
    }
}
