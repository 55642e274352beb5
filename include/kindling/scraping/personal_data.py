"""E-mail addresses, bank and card numbers and phone numbers of people, masked before a text is stored."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

_EMAIL = re.compile(r"[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}", re.IGNORECASE)
_CARD = re.compile(r"(?<![\d.,-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\d]|[.,]\d)")
_IBAN = re.compile(
    r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,32}(?![A-Z0-9])", re.IGNORECASE
)
_PHONE = re.compile(
    r"(?<![\w.,/-])(?<!\d )(?:"
    r"(?:\+|00)[1-9]\d{0,2}(?:[ .()/-]{0,2}\d){7,12}"  # international
    r"|\(\d{3}\)[ .-]?\d{3}[ .-]?\d{4}"  # (555) 010-1234
    r"|(?:1[ .-])?[2-9]\d{2}[ .-][2-9]\d{2}[ .-]\d{4}"  # 555-210-1234
    r"|0\d{1,4}[ /-]\d{3,4}[ -]?\d{3,5}"  # 030 1234567
    r")(?![\w/-]|[.,]\d)"
)
#: Ten or eleven digits in one: a phone number where the plan of some country has it so.
_BARE_PHONE = re.compile(
    r"(?<![\w.,/#-])(?:[2-9]\d{2}[2-9]\d{6}|0[1-9]\d{8,9}|[5-9]\d{8})(?![\w/-]|[.,]\d)"
)
#: Groups of digits that may be a national number.
_GROUPED_PHONE = re.compile(
    r"(?<![\w.,/:#-])(?<!\d )(?:0|\(?\d{2,5}\)?)(?:[ .-]\d{2,5}){1,5}(?![\w/:-]|[.,]\d)"
)
_REGIONS = tuple(
    "FR ES IT DE GB NL BE PT PL CH AT SE DK NO FI IE CZ TR BR MX AU NZ JP IN US".split()
)
#: What is numbered in shops besides people's phones.
_NUMBERED = re.compile(
    r"(?:order|ref(?:erence)?|no|nr|n°|num(?:ber|ero|éro)?|invoice|tracking|parcel|model\w*|"
    r"sku|isbn|asin|ean|gtin|upc|item|article|artikel\w*|bestell\w*|auftrag\w*|rechnung\w*|"
    r"sendung\w*|commande|facture|colis|pedido|factura|ordine|fattura|encomenda|serial|"
    r"serien\w*|part|batch|lot|charge|id|code|zamówieni\w*|заказ\w*|sipariş\w*)"
    r"[\s.:#№°-]{0,3}(?:(?:no|nr|number|num|id|code)\b)?[\s.:#№-]{0,3}$",
    re.IGNORECASE,
)
_CALLED = re.compile(
    r"(?:call|ring|phone|tel|telefon\w*|t[ée]l[ée]phone\w*|teléfono|telefone|mobile?|handy|"
    r"móvil|cell\w*|whatsapp|text|sms|fax|contact\w*|llam\w+|appel\w+|joindre|anruf\w*|"
    r"rufen?|ligue|ligar|chiam\w*|bel(?:len)?|dzwoni\w*|zadzwoń)\W{1,3}(?:\w{1,6}\W{1,3}){0,3}$",
    re.IGNORECASE,
)
_ENOUGH_DIGITS = re.compile(r"\d(?:[ .()/+-]{0,3}\d){6}|[A-Za-z]{2}\d{2}")


@dataclass(frozen=True)
class Masked:
    """A text without personal data, and how many of each kind were masked."""

    text: str
    counts: Counter[str]


def mask_personal_data(text: str) -> Masked:
    """E-mail addresses, IBANs, payment cards and phone numbers, each as `[kind]`.

    IBANs have to pass ISO 13616's check, cards that of ISO/IEC 7812 (python-stdnum). Phone numbers are
    told by their shape, national ones by their country's plan (phonenumbers); numbers of orders, parcels
    and articles stay.
    """
    counts: Counter[str] = Counter()
    if "@" in text:
        text = _masked(text, _EMAIL, "email", lambda match: len(match[0]), counts)
    # Few reviews hold as many digits as any of these numbers has; the rest need no closer look.
    if not _ENOUGH_DIGITS.search(text):
        return Masked(text, counts)
    for kind, pattern, length in _KINDS:
        text = _masked(text, pattern, kind, length, counts)
    return Masked(text, counts)


def luhn(number: str) -> bool:
    """Whether the digits pass the checksum of ISO/IEC 7812."""
    digits = [int(digit) for digit in number if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _masked(
    text: str,
    pattern: re.Pattern[str],
    kind: str,
    length: Callable[[re.Match[str]], int],
    counts: Counter[str],
) -> str:
    """The text with `[kind]` for the first `length(match)` characters of every match; 0 leaves it as it is."""

    def replace(match: re.Match[str]) -> str:
        personal = length(match)
        counts[kind] += bool(personal)
        return f"[{kind}]{match[0][personal:]}" if personal else match[0]

    return pattern.sub(replace, text)


def _iban(match: re.Match[str]) -> int:
    from stdnum import iban

    # Words in capitals may follow; the check tells where the number ends.
    for end in range(len(match[0]), 14, -1):
        if match[0][end - 1].isalnum() and iban.is_valid(match[0][:end]):
            return end
    return 0


def _card(match: re.Match[str]) -> int:
    from stdnum import ean

    digits = "".join(filter(str.isdigit, match[0]))
    is_card = luhn(digits) and not (len(digits) == 13 and ean.is_valid(digits))
    return len(match[0]) if is_card else 0


def _bare_phone(match: re.Match[str]) -> int:
    before = match.string[max(0, match.start() - 40) : match.start()]
    if _NUMBERED.search(before):
        return 0
    american = len(match[0]) == 10 and not match[0].startswith("0")
    if not (american or _CALLED.search(before)):
        return 0
    return len(match[0]) if _valid(match[0], ("US",) if american else _REGIONS) else 0


def _grouped_phone(match: re.Match[str]) -> int:
    stated = match[0]
    groups = re.findall(r"\d+", stated)
    if not 9 <= sum(map(len, groups)) <= 11:
        return 0
    before = match.string[max(0, match.start() - 40) : match.start()]
    if _NUMBERED.search(before) and not stated.startswith("0"):
        return 0
    usual = [3, 3, 3] == list(map(len, groups)) or stated.startswith(("0", "("))
    if usual or _CALLED.search(before):
        return len(stated) if _valid(stated, _REGIONS) else 0
    return 0


def _valid(stated: str, regions: tuple[str, ...]) -> bool:
    # Loaded when there is a number to look at: the plans of all countries are large.
    import phonenumbers

    for region in regions:
        try:
            number = phonenumbers.parse(stated, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number_for_region(number, region):
            return True
    return False


_KINDS: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], int]], ...] = (
    ("iban", _IBAN, _iban),
    ("card", _CARD, _card),
    ("phone", _PHONE, lambda match: len(match[0])),
    ("phone", _GROUPED_PHONE, _grouped_phone),
    ("phone", _BARE_PHONE, _bare_phone),
)
