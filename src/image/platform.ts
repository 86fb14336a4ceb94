// This machine's hardware in OCI's terms.
import type { Platform } from "./manifest.ts";

const ARCHITECTURES: Readonly<Record<string, Platform>> = {
  x64: { os: "linux", architecture: "amd64" },
  arm64: { os: "linux", architecture: "arm64", variant: "v8" },
  ppc64: { os: "linux", architecture: "ppc64le" },
  s390x: { os: "linux", architecture: "s390x" },
  riscv64: { os: "linux", architecture: "riscv64" },
};

/** The platform for `process.arch`. */
export function platformOf(arch: string): Platform {
  return ARCHITECTURES[arch] ?? { os: "linux", architecture: arch };
}
