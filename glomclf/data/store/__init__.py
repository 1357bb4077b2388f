"""The store: what was computed or decoded, kept on disk by content.

`database` says where it is and opens its file, `keys` name images by their content, and
`feature_store` and `pixel_store` are what the rest of glomclf reads and writes.
"""

from .database import clear_cache, default_cache_dir, resolve_cache_dir
from .feature_store import CacheInfo, FeatureStore, NamespaceInfo, cache_info
from .keys import content_keys, file_key
from .pixel_store import PixelStore, decoded_images

__all__ = [
    "CacheInfo",
    "FeatureStore",
    "NamespaceInfo",
    "PixelStore",
    "cache_info",
    "clear_cache",
    "content_keys",
    "decoded_images",
    "default_cache_dir",
    "file_key",
    "resolve_cache_dir",
]
