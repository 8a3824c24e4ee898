"""A trained network made cheap to run: folded, in half precision, in ONNX, OpenVINO or int8."""
