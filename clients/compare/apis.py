"""The versions of APIs that the cases use."""

from wire import Api

PRODUCE_PARTITIONS = "topics:[name:string partitions:[index:i32 records:nbytes]]"
PRODUCE_3 = Api(
    0, 3, False, f"transactional_id:nstring acks:i16 timeout_ms:i32 {PRODUCE_PARTITIONS}",
    "topics:[name:string partitions:[index:i32 error:i16 base_offset:i64 append_time:i64]] throttle:i32",
)
PRODUCE_7 = Api(
    0, 7, False, f"transactional_id:nstring acks:i16 timeout_ms:i32 {PRODUCE_PARTITIONS}",
    "topics:[name:string partitions:[index:i32 error:i16 base_offset:i64 append_time:i64 log_start:i64]] throttle:i32",
)
PRODUCE_9 = Api(
    0, 9, True, f"transactional_id:nstring acks:i16 timeout_ms:i32 {PRODUCE_PARTITIONS}",
    "topics:[name:string partitions:[index:i32 error:i16 base_offset:i64 append_time:i64 log_start:i64 "
    "records:[index:i32 message:nstring] message:nstring]] throttle:i32",
)
PRODUCE_13 = Api(
    0, 13, True, "transactional_id:nstring acks:i16 timeout_ms:i32 topics:[id:uuid partitions:[index:i32 records:nbytes]]",
    "topics:[id:uuid partitions:[index:i32 error:i16 base_offset:i64 append_time:i64 log_start:i64 "
    "records:[index:i32 message:nstring] message:nstring]] throttle:i32",
)
FETCH_4 = Api(
    1, 4, False,
    "replica:i32 max_wait_ms:i32 min_bytes:i32 max_bytes:i32 isolation:i8 "
    "topics:[name:string partitions:[index:i32 offset:i64 max_bytes:i32]]",
    "throttle:i32 topics:[name:string partitions:[index:i32 error:i16 high_watermark:i64 stable:i64 "
    "aborted:[producer:i64 first:i64] records:nbytes]]",
)
FETCH_11 = Api(
    1, 11, False,
    "replica:i32 max_wait_ms:i32 min_bytes:i32 max_bytes:i32 isolation:i8 session:i32 epoch:i32 "
    "topics:[name:string partitions:[index:i32 leader_epoch:i32 offset:i64 log_start:i64 max_bytes:i32]] "
    "forgotten:[name:string partitions:[i32]] rack:string",
    "throttle:i32 error:i16 session:i32 topics:[name:string partitions:[index:i32 error:i16 high_watermark:i64 "
    "stable:i64 log_start:i64 aborted:[producer:i64 first:i64] replica:i32 records:nbytes]]",
)
FETCH_13 = Api(
    1, 13, True,
    "replica:i32 max_wait_ms:i32 min_bytes:i32 max_bytes:i32 isolation:i8 session:i32 epoch:i32 "
    "topics:[id:uuid partitions:[index:i32 leader_epoch:i32 offset:i64 fetched_epoch:i32 log_start:i64 max_bytes:i32]] "
    "forgotten:[id:uuid partitions:[i32]] rack:string",
    "throttle:i32 error:i16 session:i32 topics:[id:uuid partitions:[index:i32 error:i16 high_watermark:i64 "
    "stable:i64 log_start:i64 aborted:[producer:i64 first:i64] replica:i32 records:nbytes]]",
)
LIST_OFFSETS_1 = Api(
    2, 1, False, "replica:i32 topics:[name:string partitions:[index:i32 timestamp:i64]]",
    "topics:[name:string partitions:[index:i32 error:i16 timestamp:i64 offset:i64]]",
)
LIST_OFFSETS_5 = Api(
    2, 5, False, "replica:i32 isolation:i8 topics:[name:string partitions:[index:i32 leader_epoch:i32 timestamp:i64]]",
    "throttle:i32 topics:[name:string partitions:[index:i32 error:i16 timestamp:i64 offset:i64 leader_epoch:i32]]",
)
LIST_OFFSETS_7 = Api(
    2, 7, True, "replica:i32 isolation:i8 topics:[name:string partitions:[index:i32 leader_epoch:i32 timestamp:i64]]",
    "throttle:i32 topics:[name:string partitions:[index:i32 error:i16 timestamp:i64 offset:i64 leader_epoch:i32]]",
)
METADATA_1 = Api(
    3, 1, False, "topics:[string]",
    "brokers:[id:i32 host:string port:i32 rack:nstring] controller:i32 topics:[error:i16 name:string internal:bool "
    "partitions:[error:i16 index:i32 leader:i32 replicas:[i32] isr:[i32]]]",
)
METADATA_4 = Api(
    3, 4, False, "topics:[string] create:bool",
    "throttle:i32 brokers:[id:i32 host:string port:i32 rack:nstring] cluster:nstring controller:i32 "
    "topics:[error:i16 name:string internal:bool partitions:[error:i16 index:i32 leader:i32 replicas:[i32] isr:[i32]]]",
)
METADATA_12 = Api(
    3, 12, True, "topics:[id:uuid name:nstring] create:bool topic_operations:bool",
    "throttle:i32 brokers:[id:i32 host:string port:i32 rack:nstring] cluster:nstring controller:i32 "
    "topics:[error:i16 name:nstring id:uuid internal:bool partitions:[error:i16 index:i32 leader:i32 leader_epoch:i32 "
    "replicas:[i32] isr:[i32] offline:[i32]] operations:i32]",
)
OFFSET_COMMIT_7 = Api(
    8, 7, False,
    "group:string generation:i32 member:string instance:nstring "
    "topics:[name:string partitions:[index:i32 offset:i64 leader_epoch:i32 metadata:nstring]]",
    "throttle:i32 topics:[name:string partitions:[index:i32 error:i16]]",
)
COMMITS = "topics:[name:string partitions:[index:i32 offset:i64 metadata:nstring]]"
COMMITTED = "topics:[name:string partitions:[index:i32 error:i16]]"
OFFSET_COMMIT_2 = Api(8, 2, False, f"group:string generation:i32 member:string retention_ms:i64 {COMMITS}", COMMITTED)
OFFSET_COMMIT_5 = Api(8, 5, False, f"group:string generation:i32 member:string {COMMITS}", f"throttle:i32 {COMMITTED}")
COMMITS_9 = "partitions:[index:i32 offset:i64 leader_epoch:i32 metadata:nstring]]"
OFFSET_COMMIT_9 = Api(
    8, 9, True, f"group:string generation:i32 member:string instance:nstring topics:[name:string {COMMITS_9}",
    f"throttle:i32 {COMMITTED}",
)
OFFSET_COMMIT_10 = Api(
    8, 10, True, f"group:string generation:i32 member:string instance:nstring topics:[id:uuid {COMMITS_9}",
    "throttle:i32 topics:[id:uuid partitions:[index:i32 error:i16]]",
)
OFFSET_FETCH_1 = Api(
    9, 1, False, "group:string topics:[name:string partitions:[i32]]",
    "topics:[name:string partitions:[index:i32 offset:i64 metadata:nstring error:i16]]",
)
OFFSET_FETCH_7 = Api(
    9, 7, True, "group:string topics:[name:string partitions:[i32]] stable:bool",
    "throttle:i32 topics:[name:string partitions:[index:i32 offset:i64 leader_epoch:i32 metadata:nstring error:i16]] error:i16",
)
OFFSET_FETCH_10 = Api(
    9, 10, True,
    "groups:[group:string member:nstring epoch:i32 topics:[id:uuid partitions:[i32]]] stable:bool",
    "throttle:i32 groups:[group:string topics:[id:uuid partitions:[index:i32 offset:i64 leader_epoch:i32 "
    "metadata:nstring error:i16]] error:i16]",
)
OFFSET_FETCH_5 = Api(
    9, 5, False, "group:string topics:[name:string partitions:[i32]]",
    "throttle:i32 topics:[name:string partitions:[index:i32 offset:i64 leader_epoch:i32 metadata:nstring error:i16]] error:i16",
)
OFFSET_FETCH_9 = Api(
    9, 9, True,
    "groups:[group:string member:nstring epoch:i32 topics:[name:string partitions:[i32]]] stable:bool",
    "throttle:i32 groups:[group:string topics:[name:string partitions:[index:i32 offset:i64 leader_epoch:i32 "
    "metadata:nstring error:i16]] error:i16]",
)
FIND_COORDINATOR_1 = Api(
    10, 1, False, "key:string type:i8", "throttle:i32 error:i16 message:nstring node:i32 host:string port:i32"
)
FIND_COORDINATOR_4 = Api(
    10, 4, True, "type:i8 keys:[string]",
    "throttle:i32 coordinators:[key:string node:i32 host:string port:i32 error:i16 message:nstring]",
)
FIND_COORDINATOR_0 = Api(10, 0, False, "key:string", "error:i16 node:i32 host:string port:i32")
FIND_COORDINATOR_6 = Api(
    10, 6, True, "type:i8 keys:[string]",
    "throttle:i32 coordinators:[key:string node:i32 host:string port:i32 error:i16 message:nstring]",
)
JOIN_PROTOCOLS = "type:string protocols:[name:string metadata:bytes]"
JOIN_GROUP_2 = Api(
    11, 2, False, f"group:string session_ms:i32 rebalance_ms:i32 member:string {JOIN_PROTOCOLS}",
    "throttle:i32 error:i16 generation:i32 protocol:string leader:string member:string members:[id:string metadata:bytes]",
)
JOIN_GROUP_5 = Api(
    11, 5, False, f"group:string session_ms:i32 rebalance_ms:i32 member:string instance:nstring {JOIN_PROTOCOLS}",
    "throttle:i32 error:i16 generation:i32 protocol:string leader:string member:string "
    "members:[id:string instance:nstring metadata:bytes]",
)
JOIN_GROUP_0 = Api(
    11, 0, False, f"group:string session_ms:i32 member:string {JOIN_PROTOCOLS}",
    "error:i16 generation:i32 protocol:string leader:string member:string members:[id:string metadata:bytes]",
)
JOIN_GROUP_4 = Api(
    11, 4, False, f"group:string session_ms:i32 rebalance_ms:i32 member:string {JOIN_PROTOCOLS}",
    "throttle:i32 error:i16 generation:i32 protocol:string leader:string member:string members:[id:string metadata:bytes]",
)
JOINED_7 = (
    "throttle:i32 error:i16 generation:i32 type:nstring protocol:nstring leader:string {skip} member:string "
    "members:[id:string instance:nstring metadata:bytes]"
)
JOIN_GROUP_7 = Api(
    11, 7, True, f"group:string session_ms:i32 rebalance_ms:i32 member:string instance:nstring {JOIN_PROTOCOLS}",
    JOINED_7.format(skip=""),
)
JOIN_GROUP_9 = Api(
    11, 9, True,
    f"group:string session_ms:i32 rebalance_ms:i32 member:string instance:nstring {JOIN_PROTOCOLS} reason:nstring",
    JOINED_7.format(skip="skip:bool"),
)
HEARTBEAT_0 = Api(12, 0, False, "group:string generation:i32 member:string", "error:i16")
HEARTBEAT_3 = Api(12, 3, False, "group:string generation:i32 member:string instance:nstring", "throttle:i32 error:i16")
LEAVE_GROUP_1 = Api(13, 1, False, "group:string member:string", "throttle:i32 error:i16")
LEAVE_GROUP_3 = Api(
    13, 3, False, "group:string members:[id:string instance:nstring]",
    "throttle:i32 error:i16 members:[id:string instance:nstring error:i16]",
)
LEAVE_GROUP_0 = Api(13, 0, False, "group:string member:string", "error:i16")
LEAVE_GROUP_5 = Api(
    13, 5, True, "group:string members:[id:string instance:nstring reason:nstring]",
    "throttle:i32 error:i16 members:[id:string instance:nstring error:i16]",
)
SYNC_GROUP_0 = Api(
    14, 0, False, "group:string generation:i32 member:string assignments:[member:string assignment:bytes]",
    "error:i16 assignment:bytes",
)
SYNC_GROUP_3 = Api(
    14, 3, False, "group:string generation:i32 member:string instance:nstring assignments:[member:string assignment:bytes]",
    "throttle:i32 error:i16 assignment:bytes",
)
SYNC_GROUP_5 = Api(
    14, 5, True,
    "group:string generation:i32 member:string instance:nstring type:nstring protocol:nstring "
    "assignments:[member:string assignment:bytes]",
    "throttle:i32 error:i16 type:nstring protocol:nstring assignment:bytes",
)
DESCRIBED_GROUP = (
    "state:string type:string protocol:string "
    "members:[id:string instance:nstring client:string host:string metadata:bytes assignment:bytes] operations:i32"
)
DESCRIBE_GROUPS_5 = Api(
    15, 5, True, "groups:[string] operations:bool", f"throttle:i32 groups:[error:i16 group:string {DESCRIBED_GROUP}]"
)
DESCRIBE_GROUPS_6 = Api(
    15, 6, True, "groups:[string] operations:bool",
    f"throttle:i32 groups:[error:i16 message:nstring group:string {DESCRIBED_GROUP}]",
)
DESCRIBE_GROUPS_0 = Api(
    15, 0, False, "groups:[string]",
    "groups:[error:i16 group:string state:string type:string protocol:string "
    "members:[id:string client:string host:string metadata:bytes assignment:bytes]]",
)
LIST_GROUPS_0 = Api(16, 0, False, "", "error:i16 groups:[group:string protocol:string]")
LIST_GROUPS_4 = Api(
    16, 4, True, "states:[string]", "throttle:i32 error:i16 groups:[group:string protocol:string state:string]"
)
LIST_GROUPS_5 = Api(
    16, 5, True, "states:[string] types:[string]",
    "throttle:i32 error:i16 groups:[group:string protocol:string state:string type:string]",
)
API_VERSIONS_0 = Api(18, 0, False, "", "error:i16 keys:[key:i16 min:i16 max:i16]")
API_VERSIONS_3 = Api(18, 3, True, "name:string version:string", "error:i16 keys:[key:i16 min:i16 max:i16] throttle:i32")
CREATE_TOPICS_4 = Api(
    19, 4, False,
    "topics:[name:string partitions:i32 replication:i16 assignments:[index:i32 brokers:[i32]] "
    "configs:[name:string value:nstring]] timeout_ms:i32 validate:bool",
    "throttle:i32 topics:[name:string error:i16 message:nstring]",
)
CREATE_TOPICS_7 = Api(
    19, 7, True,
    "topics:[name:string partitions:i32 replication:i16 assignments:[index:i32 brokers:[i32]] "
    "configs:[name:string value:nstring]] timeout_ms:i32 validate:bool",
    "throttle:i32 topics:[name:string id:uuid error:i16 message:nstring partitions:i32 replication:i16 "
    "configs:[name:string value:nstring read_only:bool source:i8 sensitive:bool]]",
)
DELETE_TOPICS_1 = Api(20, 1, False, "names:[string] timeout_ms:i32", "throttle:i32 topics:[name:string error:i16]")
DELETE_TOPICS_6 = Api(
    20, 6, True, "topics:[name:nstring id:uuid] timeout_ms:i32",
    "throttle:i32 topics:[name:nstring id:uuid error:i16 message:nstring]",
)
DELETE_RECORDS_1 = Api(
    21, 1, False, "topics:[name:string partitions:[index:i32 offset:i64]] timeout_ms:i32",
    "throttle:i32 topics:[name:string partitions:[index:i32 low_watermark:i64 error:i16]]",
)
INIT_PRODUCER_ID_1 = Api(
    22, 1, False, "transactional_id:nstring timeout_ms:i32", "throttle:i32 error:i16 id:i64 epoch:i16"
)
LEADER_EPOCH_3 = Api(
    23, 3, False, "replica:i32 topics:[name:string partitions:[index:i32 current:i32 epoch:i32]]",
    "throttle:i32 topics:[name:string partitions:[error:i16 index:i32 epoch:i32 end:i64]]",
)
DESCRIBE_CONFIGS_1 = Api(
    32, 1, False, "resources:[type:i8 name:string keys:[string]] synonyms:bool",
    "throttle:i32 results:[error:i16 message:nstring type:i8 name:string configs:[name:string value:nstring "
    "read_only:bool source:i8 sensitive:bool synonyms:[name:string value:nstring source:i8]]]",
)
CREATE_PARTITIONS_1 = Api(
    37, 1, False, "topics:[name:string count:i32 assignments:[brokers:[i32]]] timeout_ms:i32 validate:bool",
    "throttle:i32 results:[name:string error:i16 message:nstring]",
)
DELETE_GROUPS_1 = Api(42, 1, False, "groups:[string]", "throttle:i32 results:[group:string error:i16]")
ALTER_CONFIGS_0 = Api(
    44, 0, False, "resources:[type:i8 name:string configs:[name:string operation:i8 value:nstring]] validate:bool",
    "throttle:i32 results:[error:i16 message:nstring type:i8 name:string]",
)
OFFSET_DELETE_0 = Api(
    47, 0, False, "group:string topics:[name:string partitions:[index:i32]]",
    "error:i16 throttle:i32 topics:[name:string partitions:[index:i32 error:i16]]",
)
DESCRIBE_CLUSTER_1 = Api(
    60, 1, True, "operations:bool endpoint:i8",
    "throttle:i32 error:i16 message:nstring endpoint:i8 cluster:string controller:i32 "
    "brokers:[id:i32 host:string port:i32 rack:nstring] operations:i32",
)
TOPIC_PARTITIONS_0 = Api(
    75, 0, True, "topics:[name:string] limit:i32 cursor:i8",
    "throttle:i32 topics:[error:i16 name:nstring id:uuid internal:bool partitions:[error:i16 index:i32 leader:i32 "
    "leader_epoch:i32 replicas:[i32] isr:[i32] eligible:[i32] last_eligible:[i32] offline:[i32]] operations:i32] cursor:i8",
)
