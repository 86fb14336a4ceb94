// The schema of the host document, as `bootc internals print-json-schema --of host` prints it.
import {
  choice,
  DRAFT,
  flag,
  list,
  nullableRef,
  nullableText,
  object,
  ref,
  type Schema,
  text,
  whole,
} from "./builder.ts";

const STRING_MAP: Schema = {
  type: ["object", "null"],
  additionalProperties: { type: "string" },
};

const ENTRY_DEFS: Readonly<Record<string, Schema>> = {
  BootEntry: object(
    "A deployment. When part of it could not be read, the key `problems` says in sentences which and why. " +
      "`superseded: true` says that an update has pinned it, and that a later run removes it",
    {
      image: nullableRef("ImageStatus", "The image it was made from; null when there is none"),
      cachedUpdate: nullableRef("ImageStatus", "The image that the last check for an update found"),
      incompatible: flag("rpm-ostree changed it in ways that an image cannot express"),
      pinned: flag("It is kept until it is unpinned"),
      softRebootCapable: flag("The booted system can reach it by a soft reboot", false),
      downloadOnly: flag("It is staged, but the next shutdown will not apply it", false),
      store: { ...nullableRef("Store", "Where its image is stored"), default: null },
      ostree: nullableRef("BootEntryOstree", "The ostree deployment, if it is one"),
      composefs: nullableRef("BootEntryComposefs", "The composefs deployment, if it is one"),
    },
    ["incompatible", "pinned"],
  ),
  BootEntryOstree: object(
    "An ostree deployment",
    {
      stateroot: text("The stateroot, whose /var it uses"),
      checksum: text("The commit's checksum, 64 hexadecimal digits"),
      deploySerial: whole("Distinguishes deployments of one commit", "uint32"),
    },
    ["stateroot", "checksum", "deploySerial"],
  ),
  BootEntryComposefs: object(
    "A deployment of the composefs backend",
    {
      verity: text("The fs-verity digest of its image"),
      bootType: { ...ref("BootType"), description: "How it is booted" },
      bootloader: { ...ref("Bootloader"), description: "What boots it" },
      bootDigest: nullableText("The digest of kernel and initrd, when they are separate files"),
      missingVerityAllowed: flag("It may be used without fs-verity"),
    },
    ["verity", "bootType", "bootloader", "missingVerityAllowed"],
  ),
  BootType: { type: "string", enum: ["Bls", "Uki"] },
  Bootloader: choice("The boot loader", {
    grub: "GRUB",
    "grub-cc": "GRUB for confidential clusters",
    systemd: "systemd-boot",
    none: "Not managed by bootc",
  }),
  Store: choice("A kind of image store", { ostreeContainer: "An ostree repository" }),
};

const IMAGE_DEFS: Readonly<Record<string, Schema>> = {
  ImageStatus: object(
    "An image as found under its reference",
    {
      image: { ...ref("ImageReference"), description: "The reference it was found under" },
      version: nullableText("Its version label"),
      timestamp: {
        ...nullableText("When it was made"),
        format: "date-time",
      },
      imageDigest: text("The digest of its manifest, `sha256:` and 64 hexadecimal digits"),
      architecture: text("OCI's name of the architecture"),
    },
    ["image", "imageDigest", "architecture"],
  ),
  ImageReference: object(
    "Where an image comes from, and how it is verified",
    {
      image: text("The name, without transport"),
      transport: text("The transport, usually `registry`"),
      signature: nullableRef("ImageSignature", "How its origin is verified; not at all when null"),
    },
    ["image", "transport"],
  ),
  ImageSignature: {
    description: "How the origin of an image is verified",
    oneOf: [
      {
        ...object("The keys of an ostree remote", { ostreeRemote: { type: "string" } }, [
          "ostreeRemote",
        ]),
        additionalProperties: false,
      },
      {
        description:
          "By containers-policy.json, whose default must then not be to accept everything",
        type: "string",
        const: "containerPolicy",
      },
      { description: "Nothing", type: "string", const: "insecure" },
    ],
  },
};

const HOST_DEFS: Readonly<Record<string, Schema>> = {
  ObjectMeta: {
    type: "object",
    properties: {
      annotations: STRING_MAP,
      labels: STRING_MAP,
      name: nullableText(),
      namespace: nullableText(),
    },
  },
  HostSpec: object(
    "What the host is meant to run",
    {
      image: nullableRef("ImageReference", "The image it follows"),
      bootOrder: {
        ...ref("BootOrder"),
        description: "Which deployment boots next, when a rollback is possible",
        default: "default",
      },
    },
    [],
  ),
  BootOrder: choice("Which deployment boots next", {
    default: "The staged deployment, else the booted one",
    rollback: "The rollback deployment",
  }),
  HostStatus: object(
    "What the host runs",
    {
      staged: nullableRef("BootEntry", "The deployment that the next shutdown puts in place"),
      booted: nullableRef("BootEntry", "The running deployment; null when the system is not one"),
      rollback: nullableRef("BootEntry", "The deployment that `bootc rollback` boots"),
      otherDeployments: list("All other deployments, such as pinned ones", "BootEntry"),
      rollbackQueued: flag("The next boot is a rollback", false),
      type: nullableRef("HostType", "The kind of host; values may be added"),
      usrOverlay: nullableRef("FilesystemOverlay", "The overlay mounted over /usr"),
      readOnly: flag("/sysroot is on a read-only medium", false),
    },
    [],
  ),
  HostType: choice("A kind of host", { bootcHost: "It boots from an image" }),
  FilesystemOverlay: object(
    "An overlay file system",
    {
      accessMode: {
        ...ref("FilesystemOverlayAccessMode"),
        description: "Whether it can be written",
      },
      persistence: { ...ref("FilesystemOverlayPersistence"), description: "How long it lasts" },
    },
    ["accessMode", "persistence"],
  ),
  FilesystemOverlayAccessMode: choice("Whether an overlay can be written", {
    readOnly: "It cannot",
    readWrite: "It can",
  }),
  FilesystemOverlayPersistence: choice("How long the content of an overlay lasts", {
    transient: "Until the next boot",
    persistent: "Beyond it",
  }),
};

export const HOST_SCHEMA: Schema = {
  $schema: DRAFT,
  title: "Host",
  description: "What `bootc status` prints and `bootc edit` reads",
  type: "object",
  properties: {
    apiVersion: { type: "string" },
    kind: { type: "string" },
    metadata: { ...ref("ObjectMeta"), default: {} },
    spec: {
      ...ref("HostSpec"),
      description: "What the host is meant to run",
      default: { bootOrder: "default", image: null },
    },
    status: {
      ...ref("HostStatus"),
      description: "What the host runs",
      default: {
        booted: null,
        readOnly: false,
        rollback: null,
        rollbackQueued: false,
        staged: null,
        type: null,
        usrOverlay: null,
      },
    },
  },
  required: ["apiVersion", "kind"],
  $defs: { ...ENTRY_DEFS, ...IMAGE_DEFS, ...HOST_DEFS },
};
