// Checks of what the image says about itself, and of the images it binds.
import { BootcError } from "../../errors.ts";
import { BOUND_IMAGES_DIR, parseBoundImage } from "../../host/bound-images.ts";
import { type Check, type Finding, listing } from "../check.ts";
import { absolute } from "../formats/quote.ts";
import type { ImageTree } from "../tree.ts";

export const osRelease: Check = {
  name: "os-release",
  severity: "warning",
  description: "there is an os-release file with ID and PRETTY_NAME or NAME",
  reason: "The boot menu, `bootc status` and everything that asks which system it is on read it.",
  fix: "Install the package of the distribution that has it, or write `/usr/lib/os-release`.",
  look: ({ tree }): readonly Finding[] => {
    const values = readOsRelease(tree);
    const path = "usr/lib/os-release";
    if (values === undefined) return [{ message: "Missing /usr/lib/os-release", path }];
    const isNamed = values.has("PRETTY_NAME") || values.has("NAME");
    const missing = [...(values.has("ID") ? [] : ["ID"]), ...(isNamed ? [] : ["PRETTY_NAME"])];
    return missing.map((it) => ({ message: `Missing ${it} in /usr/lib/os-release`, path }));
  },
};

const VERSION_KEYS = ["IMAGE_VERSION", "OSTREE_VERSION", "BUILD_ID", "BUILDROOT_VERSION"];

export const imageVersion: Check = {
  name: "image-version",
  severity: "note",
  description: "the image has a version of its own",
  reason:
    "Without one, `bootc status` and the boot menu show two builds of the image under the same " +
    "name; `VERSION_ID` is that of the distribution.",
  fix:
    "`IMAGE_VERSION=…` in `/usr/lib/os-release`, or the label " +
    "`org.opencontainers.image.version`, which is seen here with `--image`.",
  look: ({ tree, image }) => {
    const values = readOsRelease(tree);
    if (values === undefined || VERSION_KEYS.some((it) => values.has(it))) return [];
    // A label may have it, which no file of the image shows.
    if ("missing" in image) return { skipped: image.missing };
    if (image.value.labels["org.opencontainers.image.version"] !== undefined) return [];
    return [{ message: "Found no version of the image", path: "usr/lib/os-release" }];
  },
};

/** Format: os-release(5); undefined when there is no such file. */
function readOsRelease(tree: ImageTree): ReadonlyMap<string, string> | undefined {
  const text = tree.readText("usr/lib/os-release") ?? tree.readText("etc/os-release");
  if (text === undefined) return undefined;
  const lines = [...text.matchAll(/^([A-Z0-9_]+)=(.+)$/gm)];
  return new Map(lines.map(([, key = "", value = ""]) => [key, value]));
}

export const boundImages: Check = {
  name: "bound-images",
  severity: "warning",
  description: "bound images are links to Quadlet files that name an image",
  reason: "bootc refuses an update to an image whose bound images it cannot read.",
  fix: "`RUN ln -s /usr/share/containers/systemd/NAME.container /usr/lib/bootc/bound-images.d/`.",
  look: ({ tree }) =>
    listing(
      "Found bound images that cannot be read",
      tree.names(BOUND_IMAGES_DIR).flatMap((name) => {
        const path = `${BOUND_IMAGES_DIR}/${name}`;
        const problem = problemOf(tree, path, name);
        return problem === undefined ? [] : [{ shown: `${absolute(path)}: ${problem}`, path }];
      }),
    ),
};

function problemOf(tree: ImageTree, path: string, name: string): string | undefined {
  if (tree.at(path)?.kind !== "link") return "not a symbolic link";
  const text = tree.readText(path);
  if (text === undefined) return "it leads to no file";
  try {
    parseBoundImage(name, text);
    return undefined;
  } catch (error) {
    if (!(error instanceof BootcError)) throw error;
    return error.message;
  }
}
