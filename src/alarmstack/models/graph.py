"""Graphs: a fitted estimator as ONNX.

In: float32 [rows, features], NaN for missing. Out: the raw score. The calibration is not in the
graph; it is stored as numbers. Classifying tree ensembles are converted by skl2onnx and onnxmltools
and get two nodes for the medians in front. Linear models are written as elementary nodes in double
precision, because float32 would lose digits. The isolation forest is written as one node of path
lengths, because its converter takes a minute.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, compose, helper, numpy_helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import Ridge

from alarmstack.core.errors import ParityError
from alarmstack.core.intervals import Floats
from alarmstack.models.estimators import Filled, LightGBM, XGBoost, floored
from alarmstack.models.fit import Fitted

OPSET, ML_OPSET, IR_VERSION = 17, 3, 9
OPSET_OF_TREES = 15
INPUT, OUTPUT = "features", "score"
TOLERANCE = 1e-5
"""Largest allowed difference between the calibrated graph and the estimator, for float32 inputs."""


def to_graph(fitted: Fitted) -> bytes:
    """The estimator's raw score as ONNX.

    Input `features` float32 [rows, features], output `score` [rows] or [rows, classes].
    """
    estimator, width = fitted.estimator, len(fitted.names)
    trees_in = [("trees_in", FloatTensorType([None, width]))]
    if isinstance(estimator, LightGBM):
        trees = convert_lightgbm(
            estimator.booster, initial_types=trees_in, zipmap=False, target_opset=OPSET_OF_TREES
        )
        return _trees(width, trees)
    if isinstance(estimator, XGBoost):
        trees = convert_xgboost(
            estimator.model, initial_types=trees_in, target_opset=OPSET_OF_TREES
        )
        return _trees(width, trees)
    assert isinstance(estimator, Filled)
    if estimator.scaler is not None:
        return _linear(estimator, width)
    if isinstance(estimator.model, IsolationForest):
        return _isolation(estimator, width)
    opsets = {"": OPSET, "ai.onnx.ml": ML_OPSET}
    options = {id(estimator.model): {"zipmap": False}}
    trees = to_onnx(
        estimator.model, np.zeros((1, width), np.float32), target_opset=opsets, options=options
    )
    return _trees(width, trees, estimator.imputer.statistics_)


def parity(fitted: Fitted, graph: bytes, x: Floats) -> float:
    """Largest difference between graph and estimator, both calibrated, for float32 inputs.

    Raises ParityError if it exceeds `TOLERANCE`.
    """
    narrow = x.astype(np.float32).astype(float)
    raw = open_graph(graph).run(None, {INPUT: narrow.astype(np.float32)})[0].astype(float)
    score = raw if fitted.calibration is None else fitted.calibration(raw)
    difference = float(np.max(np.abs(score - fitted.predict(narrow)), initial=0.0))
    if not difference <= TOLERANCE:
        raise ParityError(
            f"{fitted.recipe.name}: graph and {fitted.chosen} differ by {difference:.2g}, "
            f"allowed {TOLERANCE:g}: not registered"
        )
    return difference


def open_graph(graph: bytes) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _trees(width: int, trees: Any, medians: Floats | None = None) -> bytes:
    """Medians, the converted trees, and the probability of class 1."""
    trees = compose.add_prefix(trees, "trees_")
    source, sink = trees.graph.input[0].name, trees.graph.output[1].name
    nodes, constants = _filled(medians, source)
    constants += [numpy_helper.from_array(np.array(1, np.int64), "alarm"), *trees.graph.initializer]
    nodes += [*trees.graph.node, helper.make_node("Gather", [sink, "alarm"], [OUTPUT], axis=1)]
    return _model(nodes, constants, width, TensorProto.FLOAT, [None])


def _isolation(estimator: Filled, width: int) -> bytes:
    """The isolation forest as one sum of path lengths over all trees.

    -score_samples = 2^(-mean path length / c(samples)), Liu et al. 2008, eq. 1 and 2.
    """
    model = estimator.model
    share = 1.0 / (len(model.estimators_) * _average_path(np.array([model.max_samples_]))[0])
    attributes: dict[str, list[Any]] = {name: [] for name in _TREE_ATTRIBUTES}
    for number, (grown, columns) in enumerate(
        zip(model.estimators_, model.estimators_features_, strict=True)
    ):
        _add_tree(attributes, number, grown.tree_, columns, share)
    nodes, constants = _filled(estimator.imputer.statistics_, "filled")
    constants += [_constant("two", 2.0), numpy_helper.from_array(np.array([-1], np.int64), "flat")]
    nodes += [
        helper.make_node(
            "TreeEnsembleRegressor",
            ["filled"],
            ["path"],
            domain="ai.onnx.ml",
            n_targets=1,
            **attributes,
        ),
        helper.make_node("Neg", ["path"], ["shortness"]),
        helper.make_node("Pow", ["two", "shortness"], ["column"]),
        helper.make_node("Reshape", ["column", "flat"], [OUTPUT]),
    ]
    return _model(nodes, constants, width, TensorProto.FLOAT, [None])


_TREE_ATTRIBUTES = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_values",
    "nodes_modes",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "target_treeids",
    "target_nodeids",
    "target_ids",
    "target_weights",
)


def _add_tree(
    attributes: dict[str, list[Any]], number: int, tree: Any, columns: Any, share: float
) -> None:
    leaf = tree.children_left < 0
    depth = np.zeros(tree.node_count)
    for node in np.flatnonzero(~leaf):  # parents come before children
        depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
    length = share * (depth + _average_path(tree.n_node_samples))
    count = tree.node_count
    attributes["nodes_treeids"] += [number] * count
    attributes["nodes_nodeids"] += range(count)
    attributes["nodes_featureids"] += [int(columns[f]) if f >= 0 else 0 for f in tree.feature]
    attributes["nodes_values"] += floored(tree.threshold).tolist()
    attributes["nodes_modes"] += ["LEAF" if end else "BRANCH_LEQ" for end in leaf]
    attributes["nodes_truenodeids"] += np.maximum(tree.children_left, 0).tolist()
    attributes["nodes_falsenodeids"] += np.maximum(tree.children_right, 0).tolist()
    ends = np.flatnonzero(leaf)
    attributes["target_treeids"] += [number] * len(ends)
    attributes["target_nodeids"] += ends.tolist()
    attributes["target_ids"] += [0] * len(ends)
    attributes["target_weights"] += length[ends].tolist()


def _average_path(samples: Any) -> Floats:
    """c(n): average path length of an unsuccessful search in a binary tree of n samples.

    Liu et al. 2008, eq. 1.
    """
    n = np.asarray(samples, float)
    many = np.maximum(n, 3.0)
    of_many = 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, of_many))


def _filled(medians: Floats | None, name: str) -> tuple[list[Any], list[Any]]:
    """Nodes and constants that replace missing values by medians."""
    if medians is None:
        return [helper.make_node("Identity", [INPUT], [name])], []
    constants = [numpy_helper.from_array(medians.astype(np.float32), "medians")]
    return [
        helper.make_node("IsNaN", [INPUT], ["missing"]),
        helper.make_node("Where", ["missing", "medians", INPUT], [name]),
    ], constants


def _linear(estimator: Filled, width: int) -> bytes:
    model, scaler = estimator.model, estimator.scaler
    assert scaler is not None, "linear models are scaled"
    coefficients, intercept = np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)
    arrays = {
        "medians": estimator.imputer.statistics_.astype(np.float32),
        "centre": scaler.mean_,
        "scale": scaler.scale_,
        "coefficients": coefficients,
        "intercept": intercept,
    }
    constants = [
        numpy_helper.from_array(np.asarray(array, np.float64), name)
        for name, array in arrays.items()
    ]
    nodes = [
        helper.make_node("Cast", [INPUT], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("IsNaN", ["wide"], ["missing"]),
        helper.make_node("Where", ["missing", "medians", "wide"], ["filled"]),
        helper.make_node("Sub", ["filled", "centre"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "coefficients"], ["product"]),
        helper.make_node("Add", ["product", "intercept"], ["margin"]),
    ]
    classes = coefficients.shape[1]
    if classes > 1:
        nodes.append(helper.make_node("Softmax", ["margin"], [OUTPUT], axis=1))
        return _model(nodes, constants, width, TensorProto.DOUBLE, [None, classes])
    constants.append(numpy_helper.from_array(np.array([-1], np.int64), "flat"))
    if isinstance(model, Ridge):
        nodes.append(helper.make_node("Reshape", ["margin", "flat"], [OUTPUT]))
    else:
        nodes += [
            helper.make_node("Sigmoid", ["margin"], ["chance"]),
            helper.make_node("Reshape", ["chance", "flat"], [OUTPUT]),
        ]
    return _model(nodes, constants, width, TensorProto.DOUBLE, [None])


def _constant(name: str, value: float) -> Any:
    return numpy_helper.from_array(np.array(value, np.float32), name)


def _model(nodes: Any, constants: Any, width: int, kind: int, shape: list[int | None]) -> bytes:
    graph = helper.make_graph(
        list(nodes),
        "alarmstack",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info(OUTPUT, kind, shape)],
        initializer=list(constants),
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


__all__ = ["open_graph", "parity", "to_graph"]
