//! Finds a file in an index of the Python registry (PEP 503): a page of links, each with the file's hash.

/// Returns the address of the file with this SHA-256 in the page of a package. `page` is the page's own address.
pub(super) fn address(html: &str, sha256: &str, page: &str) -> Option<String> {
    let at = html.find(&format!("#sha256={sha256}"))?;
    let before = html.get(..at)?;
    // Whichever quote begins the link.
    let begin = before.rfind(['"', '\''])? + 1;
    let link = before.get(begin..)?.replace("&amp;", "&");
    Some(absolute(&link, page))
}

/// Returns a link's address. `page` ends in a slash.
fn absolute(link: &str, page: &str) -> String {
    if link.starts_with("https://") || link.starts_with("http://") {
        return link.to_owned();
    }
    let (scheme, rest) = page.split_once("://").unwrap_or(("https", page));
    let host = rest.split('/').next().unwrap_or(rest);
    if let Some(other) = link.strip_prefix("//") {
        return format!("{scheme}://{other}");
    }
    if link.starts_with('/') {
        return format!("{scheme}://{host}{link}");
    }
    let mut folders: Vec<&str> = rest.trim_end_matches('/').split('/').collect();
    let mut link = link;
    while let Some(above) = link.strip_prefix("../") {
        link = above;
        if folders.len() > 1 {
            folders.pop();
        }
    }
    format!("{scheme}://{}/{link}", folders.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_with_the_hash_is_taken_and_made_absolute() {
        let page = "https://mirror.example/root/pypi/+simple/a/";
        let html = |link: &str| {
            format!(
                "<a href=\"https://x/a-1.tar.gz#sha256=00\">a</a><br/>\n<a href=\"{link}#sha256=ab\">a</a>"
            )
        };
        for (link, expected) in [
            ("https://files.example/a.whl", "https://files.example/a.whl"),
            ("//files.example/a.whl?x=1&amp;y=2", "https://files.example/a.whl?x=1&y=2"),
            ("/files/a.whl", "https://mirror.example/files/a.whl"),
            ("../../+f/a.whl", "https://mirror.example/root/pypi/+f/a.whl"),
            ("a.whl", "https://mirror.example/root/pypi/+simple/a/a.whl"),
            ("../../../../../../../a.whl", "https://mirror.example/a.whl"),
        ] {
            assert_eq!(address(&html(link), "ab", page).as_deref(), Some(expected), "{link}");
        }
        assert_eq!(
            address(&html("a.whl").replace('"', "'"), "ab", page).as_deref(),
            Some(&*format!("{page}a.whl"))
        );
        for html in [html("a.whl").as_str(), "", "#sha256=cd", "\u{e4}#sha256=cd"] {
            assert_eq!(address(html, "cd", page), None, "{html}");
        }
    }
}
