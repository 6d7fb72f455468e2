-- The health of a TaurusProxyPort in Argo CD.
--
--   Healthy      the wanted port of this generation is in place (managementPolicy Observe: the proxy can be used)
--   Degraded     a person has to act, or nothing more will be done by itself soon
--   Suspended    a change waits for the end of spec.suspend, for its window, for the end of a freeze, or for an approval
--   Progressing  everything else: no word yet, a word about an older generation, work under way
--
-- Whatever stands in the object, this ends with one of them.

-- Reasons for which the operator waits for people.
local suspended = {
  Suspended = true,
  WaitingForWindow = true,
  ChangeFreeze = true,
  WaitingForApproval = true,
}

local function is_table(value)
  return type(value) == "table"
end

local function text(value, otherwise)
  if type(value) == "string" and value ~= "" then
    return value
  end
  return otherwise
end

local function progressing(message)
  return { status = "Progressing", message = message }
end

if not is_table(obj.metadata) or obj.metadata.deletionTimestamp ~= nil then
  return progressing("Being deleted")
end
local generation = obj.metadata.generation
-- By default the API server shows a status that observes generation -1.
if not is_table(obj.status) or type(generation) ~= "number" or obj.status.observedGeneration == -1 then
  return progressing("Waiting for the operator")
end
if obj.status.observedGeneration ~= generation then
  return progressing("Waiting for the operator to see the latest change of the spec")
end

-- The conditions that are True and judge this generation, by type.
local is_true = {}
if is_table(obj.status.conditions) then
  for _, condition in pairs(obj.status.conditions) do
    if is_table(condition)
      and type(condition.type) == "string"
      and condition.status == "True"
      and condition.observedGeneration == generation
    then
      is_true[condition.type] = condition
    end
  end
end

local stalled, reconciling, ready = is_true.Stalled, is_true.Reconciling, is_true.Ready
if stalled then
  return { status = "Degraded", message = text(stalled.message, "A person has to act") }
end
if reconciling then
  local status = "Progressing"
  if type(reconciling.reason) == "string" and suspended[reconciling.reason] then
    status = "Suspended"
  end
  return { status = status, message = text(reconciling.message, "At work") }
end
if ready then
  return { status = "Healthy", message = text(ready.message, "The wanted port is in place") }
end
return progressing("Waiting for the operator")
