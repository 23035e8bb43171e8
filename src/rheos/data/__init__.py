"""The outside world becomes clips: readers, inspection, windows, codecs, anchors, generators."""
