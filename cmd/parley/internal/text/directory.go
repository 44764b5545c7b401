package text

import "maps"

func init() {
	maps.Copy(chinese, chineseDirectory)
	maps.Copy(chineseFaults, directoryFaults)
}

// chineseDirectory is what chinese is, for the directory of nodes.
var chineseDirectory = map[string]string{
	"list the nodes of the network, as its registrars know them": "列出登记节点所知的网络中的节点",
	"list the nodes of the network, as its registrars know them by their heartbeats: online, suspect (silent for longer than it should be), offline or revoked. Who has been offline for a day is left out.": "按心跳列出登记节点所知的网络中的节点：在线、可疑（沉默超过应有时间）、离线或已吊销。离线超过一天的不再列出。",
	"say that a node is suspect after `N` times the time between two heartbeats, a second in small networks":                                                                                                 "超过两次心跳间隔（小型网络中为一秒）的 `N` 倍没有心跳时，视节点为可疑",
	"say that it is offline after `N` times that": "超过其 `N` 倍时，视为离线",
	"it is 1.5 to 3600":                           "它是 1.5 到 3600",
	"it is at least --suspect, and at most 3600":  "它至少为 --suspect，至多为 3600",
	"then print each change, until interrupted":   "随后打印每次变化，直到中断",
	"NODE":          "节点",
	"STATE":         "状态",
	"SHORT ADDRESS": "短地址",
	"VERSION":       "版本",
	"LOAD":          "负载",
	"SEEN":          "最近出现",
	"REGISTRAR":     "登记节点",
	"online":        "在线",
	"suspect":       "可疑",
	"offline":       "离线",
	"revoked":       "已吊销",
}

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
	"P6073": {
		"this is told to members of the network alone", "register first, and call over a node or with the header authorization",
		"这只告诉网络成员", "请先登记，并通过节点或带 authorization 头调用",
	},
	"P6074": {
		"too many watch the registrar's directory at once", "end another, or try again in a moment",
		"同时查看登记节点目录的人太多", "请结束其他查看，或稍后再试",
	},
	"P6075": {
		"the network has no registrars, which keep the directory of nodes", "parley peers lists who is connected with this node",
		"此网络没有保存节点目录的登记节点", "parley peers 列出与本节点相连的节点",
	},
	"P6076": {
		"none of the network's registrars answers", "try again when one is back",
		"网络的登记节点均无应答", "待其恢复后再试",
	},
}
