"""Computes the AUROC with scikit-learn. Reads {"scores": [...], "labels": [...]} from standard input, prints the area."""

import json
import sys

from sklearn.metrics import roc_auc_score

data = json.load(sys.stdin)
print(repr(float(roc_auc_score(data["labels"], data["scores"]))))
