//! Placeholder: filled by the layer's first change.
