"""Pages that ask whether a person is reading: told by the name of who asks, and never read as a shop's page.

Such a page comes with status 200 as often as not. Nothing here tries to get past one: it is reported, and
the shop's owner can be asked. Marks are those of the page that stands in the way, not of the script that
many shops load on every page.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser

from kindling.scraping.text import shown_text

#: Characters that such a page shows at most; a shop's page shows more.
_MAX_SHOWN = 2_500
_MAX_LINKS = 25


@dataclass(frozen=True)
class _Wall:
    """Who asks, and either of: an element of the page, words of its title."""

    name: str
    css: str = ""
    title: str = ""


_WALLS = (
    _Wall(
        "Cloudflare",
        "#challenge-form, #challenge-stage, #challenge-running, #cf-challenge-running, "
        "#challenge-error-text, script[src*='/cdn-cgi/challenge-platform/'][src*='orchestrate']",
        r"^just a moment|attention required! \| cloudflare|^un momento|^einen moment",
    ),
    _Wall(
        "DataDome",
        "iframe[src*='captcha-delivery.com'], script[src*='captcha-delivery.com']",
    ),
    _Wall(
        "HUMAN (PerimeterX)",
        "#px-captcha, [id^=px-captcha], meta[name='px-captcha']",
        r"^access to this page has been denied",
    ),
    _Wall(
        "Imperva",
        "iframe[src*='_Incapsula_Resource'], #main-iframe[src*=Incapsula]",
    ),
    _Wall(
        "Akamai",
        "#sec-if-cpt-container, #sec-cpt-if, #sec-bm-container, a[href*='errors.edgesuite.net']",
    ),
    _Wall(
        "AWS WAF",
        "script[src*='.awswaf.com'][src*='challenge'], script[src*='.captcha-sdk.awswaf.com'], #captcha-container[data-awswaf]",
        r"^human verification$",
    ),
    _Wall(
        "Amazon",
        "form[action*='validateCaptcha' i], form[action*='/errors/'] input[name=amzn]",
        r"^robot check$|^bot check$",
    ),
    _Wall("Kasada", "script[src*='149e9513-01fa-4fb0-aad4-566afd725d1b'][src*='/ips.js']"),
    _Wall("Shopify", ".shopify-challenge__container, form[action='/challenge']"),
    _Wall("Sucuri", "", r"^you are being redirected\.\.\.$|sucuri website firewall"),
    _Wall("DDoS-Guard", "script[src*='ddos-guard']", r"^ddos-guard"),
    _Wall("Vercel", "", r"^vercel security checkpoint"),
    _Wall("Queue-it", "script[src*='queue-it.net'] ~ #lbHeaderH2, #queue-it_log, body[data-pageid=queue]"),
)  # fmt: skip
_WIDGETS = {
    "reCAPTCHA": ".g-recaptcha, iframe[src*='recaptcha/api2/anchor'], iframe[src*='recaptcha/enterprise/anchor']",
    "hCaptcha": ".h-captcha, iframe[src*='hcaptcha.com']",
    "Turnstile": ".cf-turnstile, iframe[src*='challenges.cloudflare.com']",
    "GeeTest": ".geetest_captcha, [class^=geetest_]",
    "FriendlyCaptcha": ".frc-captcha",
    "captcha": "img[src*='captcha' i], input[name*='captcha' i]",
}
#: What the visitor is asked for, in the languages of the shops that are read.
_ASKS = re.compile(
    r"(?:you(?:'re| are)|you’re) (?:a )?(?:human|not a robot|a robot)|verify(?:ing)? (?:that )?you|"
    r"prove (?:that )?you|are you a (?:human|robot)|unusual (?:traffic|activity)|security check|"
    r"checking (?:your browser|if the site connection)|enter the characters|automated (?:access|requests)|"
    r"kein(?:e)? roboter|ein mensch|sicherheitsprüfung|ungewöhnliche(?:n|r)? |"
    r"pas un robot|êtes (?:bien )?(?:un )?humain|vérification de sécurité|trafic inhabituel|"
    r"no (?:eres|soy|es) un robot|eres humano|verificación de seguridad|"
    r"non sono un robot|sei umano|não (?:é|sou) um robô|geen robot|nie jestem robotem|не робот|"
    r"ロボットではありません|로봇이 아닙니다|不是机器人",
    re.IGNORECASE,
)
#: Headers of answers that refuse, and whose they are.
_HEADERS = {
    "cf-mitigated": "Cloudflare",
    "x-datadome": "DataDome",
    "x-dd-b": "DataDome",
    "x-px-blocked": "HUMAN (PerimeterX)",
    "x-iinfo": "Imperva",
    "x-amzn-waf-action": "AWS WAF",
    "x-kpsdk-ct": "Kasada",
    "x-sucuri-block": "Sucuri",
    "x-vercel-mitigated": "Vercel",
}


def in_page(tree: LexborHTMLParser) -> str:
    """Who asks whether a person reads this page; empty for a page of the shop's own."""
    if tree.body is None or len(tree.css("a[href]")) > _MAX_LINKS:
        return ""
    shown = shown_text(tree.body)
    if len(shown) > _MAX_SHOWN:
        return ""
    heading = tree.css_first("title")
    title = shown_text(heading).strip() if heading is not None else ""
    for wall in _WALLS:
        if wall.title and re.search(wall.title, title, re.IGNORECASE):
            return wall.name
        if wall.css and tree.css_first(wall.css) is not None:
            return wall.name
    # A captcha in a form for letters to the shop is no wall: the page has to ask for it.
    asks = bool(_ASKS.search(f"{title} {shown}"))
    return next(
        (name for name, css in _WIDGETS.items() if asks and tree.css_first(css)), ""
    )


def in_headers(headers: Mapping[str, str]) -> str:
    """Who refused, by the answer's headers; empty where they do not say."""
    return next((name for header, name in _HEADERS.items() if headers.get(header)), "")
