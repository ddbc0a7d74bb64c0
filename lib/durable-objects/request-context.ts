/** Makes the request context in which an event of an object runs: Miniflare limits subrequests by it. */
import { RequestContext, usageModelExternalSubrequestLimit } from "@miniflare/shared";

export type UsageModel = Parameters<typeof usageModelExternalSubrequestLimit>[0];

/** `caller` is the context of the code that has caused the event, if any. */
export function eventContext(usageModel?: UsageModel, caller?: RequestContext): RequestContext {
  return new RequestContext({
    requestDepth: (caller?.requestDepth ?? 0) + 1,
    pipelineDepth: 1,
    durableObject: true,
    externalSubrequestLimit: usageModelExternalSubrequestLimit(usageModel),
  });
}
