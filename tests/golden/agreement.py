"""Makes agreement.json: 200 random tables of answers, and how far their raters agree.

Needs scikit-learn (cohen_kappa_score) and krippendorff (alpha), both from PyPI:
    python3 agreement.py > agreement.json
"""
import json
import random
import warnings

import krippendorff
import sklearn
from sklearn.metrics import cohen_kappa_score
from importlib.metadata import version

ANSWERS = ["YES", "NO", "NA"]
warnings.simplefilter("ignore")


def table(dice):
    """Rows are questions, columns are raters; None is a missing answer."""
    raters, questions = dice.choice([2, 2, 2, 3, 4, 5]), dice.randint(2, 40)
    weights = [dice.random() ** 2 for _ in ANSWERS]
    noise, missing = dice.choice([0, 0.1, 0.3, 1]), dice.choice([0, 0, 0.1, 0.3])
    rows = []
    for _ in range(questions):
        truth = dice.choices(ANSWERS, weights)[0]
        answer = lambda: dice.choices(ANSWERS, weights)[0] if dice.random() < noise else truth
        rows.append([None if dice.random() < missing else answer() for _ in range(raters)])
    return rows


def number(value):
    """None for NaN: the measure is not defined."""
    return None if value != value else float(value)


def kappa(rows):
    """Cohen's kappa of the first two raters, over the questions that both answered."""
    pairs = [(row[0], row[1]) for row in rows if row[0] and row[1]]
    return number(cohen_kappa_score(*zip(*pairs), labels=ANSWERS)) if pairs else None


def alpha(rows):
    """Krippendorff's alpha over all raters, nominal."""
    data = [[ANSWERS.index(row[i]) if row[i] else float("nan") for row in rows] for i in range(len(rows[0]))]
    try:
        return number(krippendorff.alpha(reliability_data=data, level_of_measurement="nominal"))
    except ValueError:  # a single value, or no question with two answers
        return None


dice = random.Random(20261129)
tables = [table(dice) for _ in range(200)]
print(json.dumps({
    "source": f"scikit-learn {sklearn.__version__}, krippendorff {version('krippendorff')}, by agreement.py",
    "tables": [{"rows": rows, "kappa": kappa(rows), "alpha": alpha(rows)} for rows in tables],
}))
