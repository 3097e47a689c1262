# Spack's recipe of lae_mpi, for Spack 1.0 and later. From the top of the source tree:
#
#     spack repo add launch/spack_repo/lae
#     spack dev-build lae-mpi@main            # builds this tree, in place of sources from elsewhere
#     spack load lae-mpi && mpirun -np 8 lae_mpi
#
# Tried with Spack 1.2 and its packages of July 2026 on Debian 13: concretized with all libraries from
# source and with those of the system as externals, and with the latter built, loaded and run.

from spack_repo.builtin.build_systems.meson import MesonPackage

from spack.package import *


class LaeMpi(MesonPackage):
    """Continual learning with adapters on a frozen Vision Transformer, data-parallel over MPI."""

    license("Apache-2.0")

    version("main")

    variant("onednn", default=True, description="bf16, and frozen weights packed once, by oneDNN")
    variant("seccomp", default=True, description="no system calls where HDF5 reads, by libseccomp")
    variant("tensorboard", default=True, description="event files for TensorBoard, by protobuf-c")

    depends_on("c", type="build")
    depends_on("meson@0.61:", type="build")
    depends_on("pkgconfig", type="build")

    depends_on("openmpi@4.1:")
    depends_on("openblas threads=none +locking")
    depends_on("hdf5@1.10:~mpi")
    depends_on("libyaml")
    depends_on("libarchive")
    depends_on("jansson")
    depends_on("openssl")
    depends_on("zlib-api")
    depends_on("libpng")
    depends_on("libjpeg-turbo")
    depends_on("random123", type="build")
    depends_on("gnuplot", type="run")  # for lae_mpi report's figures
    depends_on("onednn@2.6:", when="+onednn")
    depends_on("libseccomp", when="+seccomp")
    depends_on("protobuf-c", when="+tensorboard")

    def meson_args(self):
        def feature(name):
            return "-D{0}={1}".format(name, "enabled" if "+" + name in self.spec else "disabled")

        return [feature("onednn"), feature("seccomp"), feature("tensorboard"), "-Dtests=disabled"]
