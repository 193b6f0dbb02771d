"""cc_shmrpc_library: C++ messages, stubs and services from .proto files.

    load("@shmrpc//codegen:defs.bzl", "cc_shmrpc_library")

    cc_shmrpc_library(
        name = "greeter_cc_shmrpc",
        srcs = ["greeter.proto"],
        deps = ["//common:types_cc_shmrpc"],
    )

Each x.proto gives x.pb.h and x.pb.cc (protoc's own) and x.shmrpc.pb.h and
x.shmrpc.pb.cc (protoc-gen-shmrpc's), compiled into one library that any C++ rule
can list in its deps. Files are imported, and their headers included, by the path
from the root of the repository they belong to.

One rule does it all, rather than a macro around a cc_library: a target then is
both what C++ rules and what other cc_shmrpc_library targets depend on, whatever
way its label is written; and names of outputs follow from the source files
themselves, which a macro sees as labels only (":x", "//pkg:x", a genrule).

Tools are built for the machine that builds (cfg = "exec"), the library for the
target: so --config=windows on a Linux host runs Linux tools and compiles what
they print with the Windows toolchain.
"""

load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

ShmrpcProtoInfo = provider(
    doc = "The .proto files of a cc_shmrpc_library and of all it depends on.",
    fields = {
        "direct": "depset of File: what a target listing this one may import",
        "transitive": "depset of File: all that protoc needs to read these",
    },
)

_EXTENSIONS = [".pb", ".shmrpc.pb"]

def _text(label):
    """A label as users write it; newer Bazel versions put @ or @@ before it."""
    text = str(label).lstrip("@")
    return text if text.startswith("//") else "@" + text

def _import_path(file):
    """The name a file is imported by: its path in its own repository.

    A File's short_path is that path, after ../REPOSITORY/ for files of other
    repositories; generated or not makes no difference.
    """
    if file.short_path.startswith("../"):
        return file.short_path.split("/", 2)[2]
    return file.short_path

def _well_known_import_path(file):
    # Wherever protobuf's repository keeps them.
    return "google/protobuf/" + file.path.rpartition("google/protobuf/")[2]

def _is_well_known(file):
    """Not google/protobuf/compiler/: its messages are not in the runtime."""
    return "/" not in file.path.rpartition("google/protobuf/")[2]

def _mapping(file):
    return "-I%s=%s" % (_import_path(file), file.path)

def _well_known_mapping(file):
    return "-I%s=%s" % (_well_known_import_path(file), file.path)

def _declare_outputs(ctx, file):
    """The four files made from one .proto; fails if they'd land elsewhere."""
    path = _import_path(file)
    prefix = ctx.label.package + "/" if ctx.label.package else ""
    if file.owner.workspace_name != ctx.label.workspace_name or not path.startswith(prefix):
        fail("srcs: %s is not in the package of %s; list it in a cc_shmrpc_library of its own package and add that to deps" %
             (_text(file.owner), _text(ctx.label)))
    if file.extension != "proto":
        fail("srcs: %s is not a .proto file" % _text(file.owner))
    stem = path[len(prefix):-len(".proto")]
    return struct(
        hdrs = [ctx.actions.declare_file(stem + e + ".h") for e in _EXTENSIONS],
        srcs = [ctx.actions.declare_file(stem + e + ".cc") for e in _EXTENSIONS],
    )

def _generate(ctx, protos, direct, transitive):
    """Runs protoc with both generators; returns the headers and sources."""
    outputs = [_declare_outputs(ctx, f) for f in protos]
    hdrs = [h for o in outputs for h in o.hdrs]
    srcs = [s for o in outputs for s in o.srcs]
    if not protos:
        return hdrs, srcs

    well_known = [f for f in ctx.files._well_known_protos if _is_well_known(f)]
    out_dir = ctx.bin_dir.path
    if ctx.label.workspace_root:
        out_dir += "/" + ctx.label.workspace_root

    args = ctx.actions.args()
    args.use_param_file("@%s")
    args.set_param_file_format("multiline")
    args.add("--plugin=protoc-gen-shmrpc=" + ctx.executable._plugin.path)
    args.add("--cpp_out=" + out_dir)
    args.add("--shmrpc_out=%s:%s" % (",".join(ctx.attr.plugin_options), out_dir))

    # One entry per file instead of the roots they lie under: protoc then finds
    # exactly what is declared, and files of two repositories cannot hide each
    # other unnoticed.
    args.add_all(transitive, map_each = _mapping)
    args.add_all(well_known, map_each = _well_known_mapping)

    # An import that is there only because some dependency has it would break
    # when that dependency changes.
    args.add("--direct_dependencies_violation_msg=%s is imported, but no target in deps of " +
             _text(ctx.label) + " has it in its srcs")
    args.add_joined(
        "--direct_dependencies",
        [_import_path(f) for f in direct.to_list()] +
        [_well_known_import_path(f) for f in well_known],
        join_with = ":",
    )
    args.add_all(protos)

    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [args],
        inputs = depset(well_known, transitive = [transitive]),
        tools = [ctx.executable._plugin],
        outputs = hdrs + srcs,
        mnemonic = "ShmrpcGenerate",
        progress_message = "Generating C++ for %s" % _text(ctx.label),
    )
    return hdrs, srcs

def _compile(ctx, hdrs, srcs, deps):
    """Compiles and archives; returns the CcInfo and the files to build."""
    cc_toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = cc_toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    compilation_context, objects = cc_common.compile(
        name = ctx.label.name,
        actions = ctx.actions,
        feature_configuration = features,
        cc_toolchain = cc_toolchain,
        public_hdrs = hdrs,
        srcs = srcs,
        compilation_contexts = [d.compilation_context for d in deps],
    )
    linking_context, library = cc_common.create_linking_context_from_compilation_outputs(
        name = ctx.label.name,
        actions = ctx.actions,
        feature_configuration = features,
        cc_toolchain = cc_toolchain,
        compilation_outputs = objects,
        linking_contexts = [d.linking_context for d in deps],
        # protobuf is a static library; messages registered from a shared one
        # would need the program to export it.
        disallow_dynamic_library = True,
    )
    info = CcInfo(
        compilation_context = compilation_context,
        linking_context = linking_context,
    )
    built = []
    if library.library_to_link:
        to_link = library.library_to_link
        # Either serves to see that it compiles; both would compile it twice.
        built = [to_link.static_library or to_link.pic_static_library]
    return info, built

def _cc_shmrpc_library_impl(ctx):
    protos = ctx.files.srcs
    proto_infos = [d[ShmrpcProtoInfo] for d in ctx.attr.deps]
    transitive = depset(protos, transitive = [i.transitive for i in proto_infos])
    of_deps = [i.direct for i in proto_infos]

    hdrs, srcs = _generate(ctx, protos, depset(protos, transitive = of_deps), transitive)
    runtime = [d[CcInfo] for d in [ctx.attr._runtime, ctx.attr._protobuf]]
    cc_info, built = _compile(ctx, hdrs, srcs, runtime + [d[CcInfo] for d in ctx.attr.deps])

    # A target without srcs stands for its deps, as an alias for several.
    direct = depset(protos) if protos else depset(transitive = of_deps)
    return [
        cc_info,
        ShmrpcProtoInfo(direct = direct, transitive = transitive),
        DefaultInfo(files = depset(hdrs + built)),
        OutputGroupInfo(generated = depset(hdrs + srcs)),
    ]

cc_shmrpc_library = rule(
    implementation = _cc_shmrpc_library_impl,
    doc = "A C++ library of the messages, stubs and services of .proto files.",
    attrs = {
        "srcs": attr.label_list(
            allow_files = [".proto"],
            doc = "Files of this package or below it; may be generated.",
        ),
        "deps": attr.label_list(
            providers = [CcInfo, ShmrpcProtoInfo],
            doc = "cc_shmrpc_library targets whose srcs these files import.",
        ),
        "plugin_options": attr.string_list(
            doc = "NAME=VALUE options of protoc-gen-shmrpc (codegen/README.md).",
        ),
        "_protoc": attr.label(
            default = Label("@com_google_protobuf//:protoc"),
            executable = True,
            cfg = "exec",
        ),
        "_plugin": attr.label(
            default = Label("//codegen:protoc-gen-shmrpc"),
            executable = True,
            cfg = "exec",
        ),
        "_well_known_protos": attr.label(
            default = Label("@com_google_protobuf//:well_known_protos"),
        ),
        "_protobuf": attr.label(
            default = Label("@com_google_protobuf//:protobuf"),
            providers = [CcInfo],
        ),
        "_runtime": attr.label(
            default = Label("//:shmrpc"),
            providers = [CcInfo],
        ),
        "_cc_toolchain": attr.label(
            default = Label("@bazel_tools//tools/cpp:current_cc_toolchain"),
        ),
    },
    fragments = ["cpp"],
    provides = [CcInfo, ShmrpcProtoInfo],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
    # Bazel 4 needs to be told; later ones always do it.
    incompatible_use_toolchain_transition = True,
)
