"""TF-IDF and logistic regression, set once: the model that takes seconds and that others are held against."""

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline


def word_features() -> TfidfVectorizer:
    """Words and pairs of words seen in two texts at least, sublinear counts, accents aside."""
    return TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, strip_accents="unicode"
    )


def plain_model(seed: int, balanced: bool) -> Pipeline:
    """Unfitted: steps "tfidf" and "classifier". `balanced` weighs all classes alike."""
    classifier = LogisticRegression(
        C=3.0,
        class_weight="balanced" if balanced else None,
        max_iter=500,
        random_state=seed,
    )
    return Pipeline([("tfidf", word_features()), ("classifier", classifier)])
