"""Whether a product is cloth, because cloth does not crack and china does not fray."""

from collections.abc import Collection

from kindling.measure.copying import words_of

#: Words of a category or a product's name that say "cloth"; plurals are understood.
CLOTH = frozenset(
    (
        "apparel bag ballet bathrobe beanie belt blanket blazer blouse bottom bra cap cape"
        " cardigan chemise clothing coat cushion dress fabric fashion fleece garment glove"
        " gown hat hoodie hosiery intimate jacket jean jumper jumpsuit kimono knit lace"
        " layering legging legwear linen lounge napkin outerwear overall pajama pants pant"
        " pillow polo poncho pullover pyjama quilt robe romper rug sarong scarf shawl shirt"
        " short skirt sleepwear sock sweater sweatshirt swim swimwear tank tee textile"
        " tights top towel trend trouser tunic turtleneck underwear vest"
    ).split()
)


def is_cloth(subject: str, words: Collection[str] = CLOTH) -> bool:
    """Whether a word of `subject` (category and product name) names cloth."""
    return any(
        form in words
        for word in words_of(subject)
        for form in (word, word.removesuffix("s"), word.removesuffix("es"))
    )
