// What an SBOM lists: the program, the packages in it, the runtime, and the parts of the runtime.
import { createHash } from "node:crypto";
import { type Inside, packagesInside } from "../licenses/inside.ts";
import { PARTS_INSIDE, PARTS_UNLISTED, RUNTIME_LICENSE } from "../licenses/runtime.ts";
import { edgesOf } from "../vendor/closure.ts";
import { resolvePlace } from "../vendor/lockfile.ts";

export interface Component {
  /** Package URL, the identifier that all formats use. */
  readonly purl: string;
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** SHA-512 of the registry's tarball, in hex. */
  readonly sha512?: string;
  /** Package URLs of the components that this one needs. */
  readonly needs: readonly string[];
}

export interface BillOfMaterials {
  readonly program: Component;
  readonly packages: readonly Component[];
  readonly runtime: Component;
  readonly runtimeParts: readonly Component[];
  /** Seconds since 1970. */
  readonly epoch: number;
}

export interface BillFacts {
  readonly version: string;
  readonly epoch: number;
  /** The runtime's `process.versions`. */
  readonly runtimeVersions: Readonly<Record<string, string | undefined>>;
}

export function decideBill(inside: Inside, facts: BillFacts): BillOfMaterials {
  const { project } = inside;
  const packages = listPackages(inside);
  const runtimeParts = listRuntimeParts(facts.runtimeVersions);
  const runtime: Component = {
    purl: `pkg:generic/node@${facts.runtimeVersions.node}`,
    name: "node",
    version: facts.runtimeVersions.node ?? "",
    license: RUNTIME_LICENSE,
    needs: runtimeParts.map((it) => it.purl),
  };
  const name = project.name ?? "";
  const own = Object.keys({ ...project.dependencies });
  const direct = packages.filter((it) => own.includes(it.name)).map((it) => it.purl);
  const program: Component = {
    purl: `pkg:generic/${name}@${encodeURIComponent(facts.version)}`,
    name,
    version: facts.version,
    license: String(project.license ?? ""),
    needs: [...direct, runtime.purl],
  };
  return { program, packages, runtime, runtimeParts, epoch: facts.epoch };
}

function listPackages({ manifest, lock }: Inside): readonly Component[] {
  const inside = packagesInside(manifest);
  const purlAt = new Map(
    inside.flatMap((it) => it.paths.map((path) => [path, npmPurl(it.name, it.version)] as const)),
  );
  return inside.map((it) => {
    const needs = it.paths.flatMap((path) =>
      edgesOf(path, lock.packages[path] ?? {}).flatMap(({ name }) => {
        const found = purlAt.get(resolvePlace(lock, path, name) ?? "");
        return found === undefined ? [] : [found];
      }),
    );
    return {
      purl: npmPurl(it.name, it.version),
      name: it.name,
      version: it.version,
      license: it.license,
      ...sha512Of(it.originalIntegrity ?? it.integrity),
      needs: [...new Set(needs)].sort(),
    };
  });
}

/** https://github.com/package-url/purl-spec, type npm: the scope's `@` is encoded. */
function npmPurl(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${encodeURIComponent(version)}`;
}

function sha512Of(integrity: string): Pick<Component, "sha512"> {
  const [, digest] = /^sha512-(\S+)/.exec(integrity) ?? [];
  return digest === undefined ? {} : { sha512: Buffer.from(digest, "base64").toString("hex") };
}

/** The parts that have a version; only the runtime's LICENSE lists the others. */
function listRuntimeParts(versions: BillFacts["runtimeVersions"]): readonly Component[] {
  return [...PARTS_INSIDE, ...PARTS_UNLISTED].flatMap(({ key, license }) => {
    const version = key === undefined ? undefined : versions[key];
    if (key === undefined || !version) return [];
    const name = NAMES[key] ?? key;
    return [
      {
        purl: `pkg:generic/${name}@${encodeURIComponent(version)}`,
        name,
        version,
        license,
        needs: [],
      },
    ];
  });
}

/** Common names, also used by vulnerability databases, of parts that `process.versions` abbreviates. */
const NAMES: Readonly<Record<string, string>> = { ares: "c-ares", uv: "libuv" };

/** RFC 9562, version 5: equal content gets the same identifier, wherever and whenever it is made. */
export function uuidOf(content: string): string {
  const namespace = Buffer.from("6ba7b8119dad11d180b400c04fd430c8", "hex"); // for URLs, RFC 9562
  const bytes = createHash("sha1").update(namespace).update(content).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [8, 12, 16, 20, 32].map((end, i, ends) => hex.slice(ends[i - 1] ?? 0, end)).join("-");
}

export function formatTimestamp(epoch: number): string {
  return new Date(epoch * 1000).toISOString().replace(".000Z", "Z");
}
