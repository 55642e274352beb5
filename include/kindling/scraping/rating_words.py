"""Words around ratings in the languages of shops, so that numbers and words are told apart."""

import re

#: Number words by value, as class names and labels spell them.
_NUMBER_WORDS: dict[int, str] = {
    1: "one un une uno una um uma ein eins eine een één jeden bir",
    2: "two deux dos due dois duas zwei twee dwa iki",
    3: "three trois tres tre três drei drie trzy üç",
    4: "four quatre cuatro quattro quatro vier cztery dört",
    5: "five cinq cinco cinque fünf funf vijf pięć beş",
    6: "six seis sei sechs zes",
    7: "seven sept siete sette sete sieben zeven",
    8: "eight huit ocho otto oito acht",
    9: "nine neuf nueve nove neun negen",
    10: "ten dix diez dieci dez zehn tien",
}
NUMBERS = {
    word: value for value, words in _NUMBER_WORDS.items() for word in words.split()
}
NUMBER_WORD = "|".join(sorted(NUMBERS, key=len, reverse=True))

#: A unit that may stand behind a rating or behind full marks.
UNIT = (
    r"(?:stars?|étoiles?|etoiles?|stern(?:en?)?|estrellas?|estrelas?|stell[ae]|"
    r"sterren|ster|gwiazd\w*|hvězd\w*|hviezd\w*|zvezd\w*|звезд\w*|звёзд\w*|зірок\w*|"
    r"stjern\w*|stjärn\w*|tähte\w*|csillag\w*|stele|αστέρι\w*|αστερι\w*|yıldız\w*|"
    r"points?|punkte?n?|puntos?|pontos?|punti|punten|pkt\.?|bubbles?|"
    r"bintang|sao|ดาว|نجوم|نجمة|כוכבים|颗星|顆星|星级|星|つ星|点|點|分|점|개)"
)
#: What stands between a rating and its full marks, where the rating comes first.
OUT_OF = (
    r"(?:/|⁄|out\s+of|of|von|aus|de|sur|su|di|van|uit|af|av|ud\s+af|ut\s+av|z|ze|od|"
    r"iz|из|із|з|от|από|din|iš|dari|daripada|trên|จาก|من|מתוך|最多|满分|滿分)"
)
#: What stands between full marks and a rating, where full marks come first.
FULL_FIRST = (
    r"(?:(?:つ星|星|点|點)?(?:のうち|満点中|中)|点満点で|üzerinden|yıldız\s+üzerinden|"
    r"(?:개|점|별)\s*(?:중|만점에|만점)|점\s*만점\s*에?|中的?|में\s+से|এর\s+মধ্যে|"
    r"ulduzdan|dan|-?b[őo]l|-?st|இல்|లో|-?ից)"
)
#: Nouns that are counted beside a rating: the number before them says how many, not how good.
COUNTED = re.compile(
    r"\s*(?:global |customer |verified |total )?(?:"
    r"reviews?|ratings?|opini\w*|avis|bewertung\w*|rezension\w*|reseñas?|opinion\w*|"
    r"recension\w*|beoordeling\w*|avalia\w*|hodnocen\w*|отзыв\w*|оцен\w*|yorum\w*|"
    r"değerlendirme\w*|レビュー|件|리뷰|评论|則評論|votes?|notes?\b)",
    re.IGNORECASE,
)
#: A reading aid, a price, a measure: such a text is no rating at all.
NOT_A_RATING = re.compile(
    r"helpful|hilfreich|utile|útil|nuttig|przydatn|people|persons?\b|personnes?|"
    r"personas|pessoas|persone\b|users?\b|customers?\b|kunden|buyers?|recommend|"
    r"found this|days?\b|weeks?\b|months?\b|years?\b|[$€£¥₹]|\b(?:usd|eur|gbp)\b",
    re.IGNORECASE,
)
#: Words that announce a rating or belong to one; other words around a lone number make it no rating.
ABOUT_RATING = re.compile(
    r"\b(?:(?:over|average|avg|mean|overall|customer|product|total|score|scored|"
    r"rat(?:ed|ing|ings|e)|reviewed?|reviews?|evaluation|grade|stars?|out|with|is|by|"
    r"based|on|at|in|and|the|an?|durchschnitt\w*|gesamt\w*|bewert\w*|mit|note|"
    r"noté?e?|moyenne|évalué\w*|avis|valoraci\w*|calificaci\w*|puntuaci\w*|nota|"
    r"media|valutazion\w*|voto|punteggio|avalia\w*|classifica\w*|beoordeling\w*|"
    r"waardering|cijfer|score|ocena|ocen\w*|średnia|hodnoc\w*|рейтинг|оценка|"
    r"puan\w*|değerlendirme|betyg|arvio\w*|karakter|vurdering|értékelés|"
    r"rating-?value|opini\w*|recensioni|global)\b|評価|評分|评分|평점|별점|تقييم|דירוג)",
    re.IGNORECASE,
)
