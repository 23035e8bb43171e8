"""Small tensors: one thread is fastest, and the tests of one process do not fight for cores."""

import torch

torch.set_num_threads(1)
