"""Store points (store_point.h)."""

def store_point_sources(not_on_windows = []):
    """Where tests/death looks for store points: sources of the target system.

    Args:
      not_on_windows: sources without a system's name that do nothing there.
    """
    sources = ["*.cc", "*.h"]
    native.filegroup(
        name = "store_point_sources",
        srcs = select({
            "@platforms//os:windows": native.glob(
                sources,
                exclude = ["*_posix.*"] + not_on_windows,
            ),
            "//conditions:default": native.glob(sources, exclude = ["*_win.*"]),
        }),
        visibility = ["//tests/death:__pkg__"],
    )
