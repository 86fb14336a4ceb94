// Checks of the image around the files: its labels, and what its layers cost.
import { formatBinarySize } from "../../format/size.ts";
import { type Check, type Finding, type Item, listing, type Rewrite, using } from "../check.ts";
import { absolute } from "../formats/quote.ts";

export const imageLabels: Check = {
  name: "image-labels",
  severity: "warning",
  description: "the image has the label containers.bootc",
  reason:
    "Tools that make disks and bootc itself recognize a bootable image by it. One without this " +
    "label and without `ostree.bootable` is refused by `bootc switch`.",
  fix: "`LABEL containers.bootc=1` in the Containerfile.",
  look: ({ image }) =>
    using(image, ({ labels }): readonly Finding[] => {
      const value = labels["containers.bootc"];
      if (value === "1") return [];
      const what =
        value === undefined ? "Missing label" : `Unknown value \`${value}\` of the label`;
      return [{ message: `${what} containers.bootc` }];
    }),
};

const REWRITE_MIN = 1 << 20;

export const rewrittenFiles: Check = {
  name: "rewritten-files",
  severity: "note",
  description: "no layer has large files that a layer below has, too",
  reason:
    "A file that a later layer writes again, if only with another mode or time, is pulled twice " +
    "by every host; `RUN chmod -R` and `RUN chown -R` do so to whole directories.",
  fix: "Write the file once, with the right mode, in the step that makes it, or squash the layers.",
  look: ({ image }) =>
    using(image, ({ rewrites }) => {
      const large = [...rewrites]
        .filter((it) => it.sizeBytes >= REWRITE_MIN)
        .sort((a, b) => b.sizeBytes - a.sizeBytes);
      return listing("Found files that are in more than one layer", large.map(show));
    }),
};

function show({ path, sizeBytes, layer }: Rewrite): Item {
  return { shown: `${absolute(path)} (${formatBinarySize(sizeBytes)}, layer ${layer + 1})`, path };
}

const LAYERS_MANY = 100;

export const layerSizes: Check = {
  name: "layer-sizes",
  severity: "note",
  description: "no layer holds most of a large image, and there are not too many layers",
  reason:
    "A host pulls every layer that has changed, whole. When one layer has most of the image, a " +
    "change of one file in it costs nearly the whole image; container runtimes refuse more than " +
    "127 layers.",
  fix:
    "Split the layer with several `RUN` steps, what changes often last, or have a tool split it " +
    "into chunks.",
  look: ({ image }) =>
    using(image, ({ layers }): readonly Finding[] => {
      const total = layers.reduce((sum, it) => sum + it.sizeBytes, 0);
      const large = layers
        .map((it, i) => ({ ...it, number: i + 1 }))
        .filter((it) => it.sizeBytes > LARGE_BYTES && it.sizeBytes > total / 2);
      return [
        ...listing(
          "Found a layer with more than half of the image",
          large.map((it) => ({
            shown: `layer ${it.number} (${formatBinarySize(it.sizeBytes)} of ${formatBinarySize(total)})`,
          })),
        ),
        ...(layers.length > LAYERS_MANY ? [{ message: `Found ${layers.length} layers` }] : []),
      ];
    }),
};

const LARGE_BYTES = 512 << 20;
