//! The storefront, as a browser without scripts sees it.

use anyhow::{Context as _, Result, ensure};
use http::{Method, Request};
use stoa_tests::client::{Answer, Client, empty, full};

use super::*;

/// Bytes of a page, its stylesheet included, at most.
const PAGE: usize = 100 << 10;

/// A browser: it keeps cookies, and says where its forms come from.
struct Browser {
    client: Client,
    cookies: Vec<(String, String)>,
}

impl Browser {
    fn new(shop: &Shop) -> Self {
        Self {
            client: Client::http1(shop.host.http),
            cookies: Vec::new(),
        }
    }

    async fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(Request::get(path), "").await
    }

    async fn post(&mut self, path: &str, form: &str) -> Result<Answer> {
        let request = Request::post(path).header("sec-fetch-site", "same-origin");
        self.send(request, form).await
    }

    async fn send(&mut self, request: http::request::Builder, form: &str) -> Result<Answer> {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let request = request
            .header("cookie", cookies.join("; "))
            .header("content-type", "application/x-www-form-urlencoded");
        let posts = request.method_ref() == Some(&Method::POST);
        let body = if posts {
            full(form.to_owned())
        } else {
            empty()
        };
        let answer = self.client.send(request.body(body)?).await?;
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie has a name")?;
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        Ok(answer)
    }

    /// A page, which has to be whole, short, and without scripts.
    async fn page(&mut self, path: &str) -> Result<String> {
        let answer = self.get(path).await?.expect(200)?;
        assert_eq!(answer.header("content-type")?, "text/html; charset=utf-8");
        let text = answer.text();
        ensure!(text.ends_with("</html>"), "{path} is cut: {text}");
        ensure!(!text.contains("<script"), "{path} has a script: {text}");
        Ok(text)
    }
}

/// The value of a hidden field.
fn hidden<'a>(page: &'a str, name: &str) -> Result<&'a str> {
    let before = format!("name=\"{name}\" value=\"");
    let (_, rest) = page
        .split_once(&before)
        .with_context(|| format!("no field {name} in {page}"))?;
    Ok(rest.split('"').next().unwrap_or_default())
}

/// What the form of this page sends, filled in, paid by this token.
fn filled(page: &str, payment: &str) -> Result<String> {
    let (basket, key) = (hidden(page, "basket")?, hidden(page, "key")?);
    Ok(format!(
        "basket={basket}&key={key}&name=Ann+%3Cb%3E&street=Main+Street+1&city=Berlin\
         &postal_code=10115&delivery=DE+express&discount=WELCOME10&payment={payment}"
    ))
}

/// A browser at the form of an order for two cups of this shop.
async fn at_the_till(shop: &Shop) -> Result<(Browser, String)> {
    let id = stocked(shop, "CUP-1", 5).await?;
    let path = format!("/catalog/eu/products/{id}");
    catalog::shown(&shop.host, &path, |item| item["in_stock"] == true).await?;
    let mut browser = Browser::new(shop);
    let product = browser.page(&format!("/shop/eu/products/{id}")).await?;
    assert_eq!(hidden(&product, "product")?, id);
    let form = format!("product={id}&sku=CUP-1&quantity=2");
    let put = browser.post("/shop/eu/basket", &form).await?.expect(303)?;
    let basket = browser.page(put.header("location")?).await?;
    assert!(basket.contains("25.00 EUR"), "{basket}");
    let page = browser.page("/shop/eu/checkout").await?;
    assert!(page.contains("Germany, express: 15.40 EUR"), "{page}");
    Ok((browser, page))
}

#[tokio::test]
async fn a_guest_orders_and_follows_the_order() -> Result<()> {
    let shop = shop().await?;
    let (mut ann, page) = at_the_till(&shop).await?;
    let form = filled(&page, "tok_ok")?;
    // A double click: the browser sends both before it has an answer.
    let mut twin = Browser {
        client: Client::http1(shop.host.http),
        cookies: ann.cookies.clone(),
    };
    let (first, second) = tokio::join!(
        ann.post("/shop/eu/checkout", &form),
        twin.post("/shop/eu/checkout", &form)
    );
    let (first, second) = (first?.expect(303)?, second?.expect(303)?);
    let path = first.header("location")?;
    assert_eq!(second.header("location")?, path);
    assert_eq!(stock(&shop, "CUP-1").await?, (5, 2), "one order");

    let shown = ann.page(path).await?;
    for text in [
        "It is confirmed",
        "Ann &lt;b&gt;",
        "Cup CUP-1",
        // Two cups, a tenth less, and their way.
        "37.90 EUR",
    ] {
        assert!(shown.contains(text), "no {text:?} in {shown}");
    }
    let id = path.rsplit('/').next().unwrap_or_default();
    let sent = format!("/orders/{id}/shipments");
    let staff = token(&shop.host, "staff", &["orders:write", "orders:read"]).await?;
    let mut staff = Client::http1(shop.host.http).bearer(&staff);
    let order = staff.post(&sent, &Value::Null).await?.expect(200)?.json()?;
    let tracking = order["tracking"].as_str().context("it has a number")?;
    let shown = ann.page(path).await?;
    assert!(shown.contains(tracking), "{shown}");
    assert!(shown.contains("It is on its way"), "{shown}");

    let mut bob = Browser::new(&shop);
    bob.get(path).await?.expect(404)?;
    bob.cookies.push(("guest".into(), "0".repeat(32)));
    bob.get(path).await?.expect(404)?;
    shop.ann()
        .get(&format!("/orders/{id}"))
        .await?
        .problem(404)?;
    let empty = ann.page("/shop/eu/basket").await?;
    assert!(empty.contains("There is nothing in it yet"), "{empty}");
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_shown_where_the_order_was_filled_in() -> Result<()> {
    let shop = shop().await?;
    let (mut ann, page) = at_the_till(&shop).await?;
    let declined = filled(&page, "tok_declined")?;
    let refused = ann
        .post("/shop/eu/checkout", &declined)
        .await?
        .expect(409)?
        .text();
    assert!(refused.contains("declined"), "{refused}");
    assert!(refused.contains("value=\"Ann &lt;b&gt;\""), "{refused}");
    assert_eq!(stock(&shop, "CUP-1").await?, (5, 0));
    let again = filled(&refused, "tok_ok")?;
    ann.post("/shop/eu/checkout", &again).await?.expect(303)?;
    assert_eq!(stock(&shop, "CUP-1").await?, (5, 2));
    Ok(())
}

#[tokio::test]
async fn a_form_of_another_site_orders_nothing() -> Result<()> {
    let shop = shop().await?;
    let (mut ann, page) = at_the_till(&shop).await?;
    let form = filled(&page, "tok_ok")?;
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
        ("x-nothing", "said"),
    ] {
        let request = Request::post("/shop/eu/checkout").header(name, value);
        let refused = ann.send(request, &form).await?.expect(403)?.text();
        assert!(refused.contains("not sent from our pages"), "{refused}");
    }
    assert_eq!(stock(&shop, "CUP-1").await?, (5, 0));
    let own = format!("http://{}", shop.host.http);
    let request = Request::post("/shop/eu/checkout")
        .header("host", shop.host.http.to_string())
        .header("origin", own);
    ann.send(request, &form).await?.expect(303)?;
    assert_eq!(stock(&shop, "CUP-1").await?, (5, 2));
    Ok(())
}

#[tokio::test]
async fn products_are_browsed_and_found() -> Result<()> {
    let shop = shop().await?;
    let mut staff = shop.staff();
    for at in 0..25 {
        let product = json!({
            "name": format!("<i>Cup</i> & {at} {}", "x".repeat(150)),
            "category": if at == 0 { "tea" } else { "kitchen" },
            "variants": [{ "sku": format!("CUP-{at}"), "prices": [{ "minor": 1250, "currency": "EUR" }] }],
        });
        staff.post("/products", &product).await?.expect(201)?;
    }
    catalog::shown(
        &shop.host,
        "/catalog/eu/products?facets=true&limit=1",
        |page| page["facets"]["total"] == 25,
    )
    .await?;
    let mut browser = Browser::new(&shop);
    let first = browser.page("/").await?;
    let style = browser.get("/shop/style.css").await?.expect(200)?.body;
    let size = first.len() + style.len();
    assert!(size <= PAGE, "{size} bytes");
    assert_eq!(
        first.matches("&lt;i&gt;Cup&lt;/i&gt; &amp; ").count(),
        20,
        "{first}"
    );
    assert!(!first.contains("<i>"), "{first}");
    // Nothing but the stylesheet is loaded with it.
    assert!(
        !first.contains("src=") && !first.contains("<iframe"),
        "{first}"
    );
    assert_eq!(first.matches("rel=\"stylesheet\"").count(), 1);

    let (_, rest) = first
        .split_once("rel=\"next\" href=\"")
        .context("a second page")?;
    let next = rest
        .split('"')
        .next()
        .unwrap_or_default()
        .replace("&amp;", "&");
    let second = browser.page(&next).await?;
    assert_eq!(second.matches("&lt;i&gt;Cup").count(), 5, "{second}");
    let tea = browser.page("/shop/eu?category=tea&sort=name").await?;
    assert_eq!(tea.matches("&lt;i&gt;Cup").count(), 1, "{tea}");
    let found = browser.page("/shop/eu?q=cup+7").await?;
    assert!(found.contains("&amp; 7 "), "{found}");
    let nothing = browser.page("/shop/us?q=%22%3E%3Cscript%3E").await?;
    assert!(nothing.contains("Nothing here"), "{nothing}");
    let missing = browser.get("/shop/eu/products/none").await?.expect(404)?;
    assert!(
        missing.text().contains("<h1>Not found</h1>"),
        "{}",
        missing.text()
    );
    Ok(())
}
