//! A browser, as somebody uses it.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{
    By, Capabilities, CapabilitiesHelper, ChromiumLikeCapabilities, Cookie, DesiredCapabilities,
    WebDriver, prelude::WebDriverResult,
};
use tokio::{runtime, time};

use super::driver::{Driver, find};

/// How long a page may take on a busy machine. Nothing waits that long where the tests pass.
const PATIENCE: Duration = Duration::from_secs(60);
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// A chromium with a profile of its own, closed when dropped.
#[derive(Debug)]
pub struct Browser {
    runtime: runtime::Runtime,
    /// There until it is dropped.
    page: Option<WebDriver>,
    site: String,
    _profile: TempDir,
}

impl Browser {
    /// Opens the first page of `site` in a new profile.
    pub fn open(driver: &Driver, site: &str) -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let profile = TempDir::new().expect("a temporary folder");
        let settings = settings(profile.path()).expect("settings of the browser");
        let page = runtime.block_on(WebDriver::new(driver.url(), settings));
        let page = Some(page.expect("the browser starts"));
        let browser = Self { runtime, page, site: site.to_owned(), _profile: profile };
        browser.go("/");
        browser
    }

    /// Opens a page of the site.
    pub fn go(&self, path: &str) {
        let url = format!("{}{path}", self.site);
        self.run(async |page| page.goto(url).await).expect("the page opens");
    }

    /// Goes one page back in the history of this window.
    pub fn go_back(&self) {
        self.run(async |page| page.back().await).expect("there is a page before");
    }

    /// Clicks the first button with this text, as soon as there is one.
    pub fn click(&self, text: &str) {
        let button = By::XPath(format!("//button[normalize-space(.)='{text}']"));
        self.wait(&format!("button {text:?}"), || {
            self.run(async |page| page.find(button.clone()).await?.click().await).ok()
        });
    }

    /// Writes into the field with this id, as soon as there is one.
    pub fn write(&self, id: &str, text: &str) {
        self.wait(&format!("field {id:?}"), || {
            self.run(async |page| page.find(By::Id(id)).await?.send_keys(text).await).ok()
        });
    }

    /// Waits until the page shows a text; what it shows then.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait(&format!("{text:?} on the page"), || {
            Some(self.text()).filter(|shown| shown.contains(text))
        })
    }

    /// Waits until `condition` has a value.
    pub fn wait<T>(&self, what: &str, condition: impl Fn() -> Option<T>) -> T {
        let started = std::time::Instant::now();
        loop {
            if let Some(value) = condition() {
                return value;
            }
            assert!(started.elapsed() < PATIENCE, "no {what}:\n{}", self.text());
            #[expect(
                clippy::disallowed_methods,
                reason = "a page does not say that it has changed"
            )]
            self.runtime.block_on(async { time::sleep(TRY_AGAIN).await });
        }
    }

    /// What the page shows, without tags; nothing while it is changing.
    pub fn text(&self) -> String {
        let text = self.script("return document.body.innerText");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// What a script of the page itself would get; null while the page is changing.
    pub fn script(&self, script: &str) -> Value {
        let run = self.run(async |page| page.execute(script, Vec::new()).await);
        run.map_or(Value::Null, |value| value.json().clone())
    }

    /// The cookies the browser would send to this page, with what it knows about them.
    pub fn cookies(&self) -> Vec<Cookie> {
        self.run(async |page| page.get_all_cookies().await).expect("the browser has a cookie jar")
    }

    /// Sets what the page is shown on: `width` in pixels, and light or dark.
    pub fn look(&self, width: u32, scheme: &str) {
        let phone = width < 600;
        let screen = json!({
            "width": width, "height": 900, "deviceScaleFactor": if phone { 2 } else { 1 },
            "mobile": phone,
        });
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.run(async |page| {
            page.cdp().send_raw("Emulation.setDeviceMetricsOverride", screen).await?;
            page.cdp().send_raw("Emulation.setEmulatedMedia", media).await
        })
        .expect("the browser can pretend");
    }

    /// Keeps a picture of the whole page as `target/browser/NAME.png`.
    pub fn picture(&self, name: &str) -> PathBuf {
        let here = env::current_exe().expect("a test has a path");
        let target = here.ancestors().nth(3).expect("target/PROFILE/deps/test");
        let folder = target.join("browser");
        std::fs::create_dir_all(&folder).expect("the target folder can be written");
        let file = folder.join(format!("{name}.png"));
        self.run(async |page| {
            // The window as high as the page.
            let height = page.execute("return document.documentElement.scrollHeight", vec![]);
            let height = height.await?.json().as_u64().unwrap_or(900);
            let width = page.execute("return innerWidth", vec![]).await?.json().as_u64();
            let (width, height) = (width.unwrap_or(1280), height.min(8000));
            let screen = json!({
                "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
            });
            page.cdp().send_raw("Emulation.setDeviceMetricsOverride", screen).await?;
            page.screenshot(&file).await
        })
        .expect("the browser takes a picture");
        file
    }

    fn run<T>(
        &self,
        action: impl AsyncFnOnce(&WebDriver) -> WebDriverResult<T>,
    ) -> WebDriverResult<T> {
        let page = self.page.as_ref().expect("open until dropped");
        self.runtime.block_on(action(page))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(page) = self.page.take() {
            // Where this fails, the driver kills it.
            let _ = self.runtime.block_on(page.quit());
        }
    }
}

fn settings(profile: &Path) -> WebDriverResult<Capabilities> {
    let mut settings = DesiredCapabilities::chrome();
    settings.set_binary(&find("chromium").display().to_string())?;
    // The demo's certificate is its own.
    settings.accept_insecure_certs(true)?;
    for arg in [
        "--headless=new",
        // Root, which tests in containers are, may not have one.
        "--no-sandbox",
        // Containers have little shared memory.
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,900",
        &format!("--user-data-dir={}", profile.display()),
    ] {
        settings.add_arg(arg)?;
    }
    Ok(settings.into())
}
