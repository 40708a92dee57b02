"""Fits scikit-learn's one-class support vector machine. Reads {"samples": [[...]], "queries": [[...]], "nu": ..., "gamma": ...} from
standard input, prints the decision function at the queries, and the number of support vectors."""

import json
import sys

from sklearn.svm import OneClassSVM

data = json.load(sys.stdin)
machine = OneClassSVM(kernel="rbf", nu=data["nu"], gamma=data["gamma"], tol=1e-8).fit(data["samples"])
decision = [float(value) for value in machine.decision_function(data["queries"])]
print(json.dumps({"decision": decision, "support": len(machine.support_)}))
