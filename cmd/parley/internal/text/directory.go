package text

import "maps"

func init() { maps.Copy(chineseFaults, directoryFaults) }

// directoryFaults is what chineseFaults is, for the directory of nodes.
var directoryFaults = map[string]said{
	"P6070": {
		"that is not a heartbeat of this network", "see docs/protocol/11-registrars.md",
		"这不是此网络的心跳", "请参阅 docs/protocol/11-registrars.md",
	},
	"P6071": {
		"a newer heartbeat of this node came before", "if its data directory was restored or runs twice, stop the other and set its clock",
		"此前已收到本节点更新的心跳", "如果其数据目录是恢复的或同时运行了两份，请停止另一份并校准时钟",
	},
	"P6072": {
		"the node's clock differs by more than two hours from the registrar's", "set the clock of the machine that is wrong",
		"节点的时钟与登记节点相差超过两小时", "请校准有误的机器的时钟",
	},
}
