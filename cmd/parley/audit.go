package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/parley-chat/parley/cmd/parley/internal/show"
	"github.com/parley-chat/parley/internal/audit"
	"github.com/parley-chat/parley/node"
)

func (a *app) auditCommand() *cobra.Command {
	c := a.groupCommand("audit", a.text.T("read, verify and prove what a registrar's audit log says"),
		a.text.T("it needs a command: tail, verify or prove"))
	c.AddCommand(a.auditTailCommand(), a.auditVerifyCommand(), a.auditProveCommand())
	return c
}

// auditDir is where the log of the data directory lies.
func (a *app) auditDir() string { return filepath.Join(a.dir, audit.DirName) }

func (a *app) auditProveCommand() *cobra.Command {
	var file string
	c := a.command(&cobra.Command{
		Use:   "prove INDEX",
		Short: a.text.T("print the proof that a record is in the audit log"),
		Long:  a.text.T("print the proof, as JSON, that the record with this number is in the audit log. Whoever has it and knows the registrar's peer ID can check it without the log: parley audit verify --proof."),
		Example: `  parley audit prove 2407 --out proof.json
  parley audit verify --proof proof.json --key 12D3KooW…`,
		Args: a.args(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			index, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || index < 0 {
				return a.badValue("INDEX", args[0], a.text.T("it is not the number of a record"))
			}
			proof, err := audit.Prove(a.auditDir(), index)
			if err != nil {
				return err
			}
			if file == "" {
				return show.JSON(a.out, proof)
			}
			if err := writeFile(file, func(w io.Writer) error { return show.JSON(w, proof) }); err != nil {
				return err
			}
			return a.note("wrote the proof of record %d to %s", index, file)
		},
	})
	c.Flags().StringVar(&file, "out", "", a.text.T("write to `FILE`, readable by you alone, and print nothing"))
	return c
}

// verifiedLog is what audit verify prints.
type verifiedLog struct {
	Records     int64    `json:"records"`
	Checkpoints int64    `json:"checkpoints"`
	Signed      int64    `json:"signed"`
	Root        string   `json:"root"`
	Registrar   string   `json:"registrar"`
	Cosigned    int64    `json:"cosigned"`
	Cosigners   []string `json:"cosigners"`
	Forked      []string `json:"forked"`
}

// verifiedProof is what audit verify --proof prints.
type verifiedProof struct {
	Index     int64           `json:"index"`
	Size      int64           `json:"size"`
	Registrar string          `json:"registrar"`
	Cosigners []string        `json:"cosigners"`
	Record    json.RawMessage `json:"record"`
}

func (a *app) auditVerifyCommand() *cobra.Command {
	var keys []string
	var proof string
	c := a.command(&cobra.Command{
		Use:   "verify",
		Short: a.text.T("check that nothing in the audit log was changed, or check a proof"),
		Long:  a.text.T("read the whole audit log and check each record, the tree over them and every signature, without a running node or beside one. What was changed, taken out, put in or moved is named. With --proof the proof of one record is checked; the log is not needed then."),
		Example: `  parley audit verify --dir DIR
  parley audit verify --proof proof.json --key 12D3KooW…`,
		Args: a.args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			trusted, err := a.trusted(keys)
			if err != nil {
				return err
			}
			if proof != "" {
				return a.verifyProof(proof, trusted)
			}
			return a.verifyLog(cmd, trusted)
		},
	})
	c.Flags().StringArrayVar(&keys, "key", nil, a.text.T("the `PEERID` of a registrar whose signature counts; the directory's own always does"))
	c.Flags().StringVar(&proof, "proof", "", a.text.T("check the proof in `FILE`, not the log"))
	return c
}

// trusted are those who were named, and the directory's own identity if it has
// one.
func (a *app) trusted(keys []string) (all []peer.ID, err error) {
	for _, key := range keys {
		id, err := peer.Decode(key)
		if err != nil {
			return nil, a.badValue("--key", key, a.text.T("it is not a peer ID"))
		}
		all = append(all, id)
	}
	own, err := node.LoadIdentity(a.dir)
	switch {
	case err == nil:
		return append(all, own.ID()), nil
	case errors.Is(err, node.ErrNoIdentity) && len(all) == 0:
		return nil, a.said(errNoKey, a.text.T("nobody is named whose signatures count, and %s has no identity", a.dir),
			a.text.T("name the registrar with --key PEERID"))
	case errors.Is(err, node.ErrNoIdentity):
		return all, nil
	default:
		return nil, err
	}
}

func (a *app) verifyLog(cmd *cobra.Command, trusted []peer.ID) error {
	p := a.progress()
	rep, err := audit.Verify(cmd.Context(), a.auditDir(), audit.Options{
		Trusted: trusted, Progress: func(done, _ int64) { p.at(uint64(done)) },
	})
	p.end()
	if err != nil {
		return err
	}
	out := verifiedLog{
		rep.Records, rep.Checkpoints, rep.Signed, rep.Root.String(), rep.Owner.String(), rep.Cosigned, idTexts(rep.Cosigners),
		idTexts(rep.Forked),
	}
	err = a.print(out, "nothing is wrong with the audit log of %s: %d records, %d checkpoints; the newest covers %d records",
		out.Registrar, out.Records, out.Checkpoints, out.Signed)
	if err == nil && !a.json {
		err = a.tellCosigners(out.Cosigners, out.Cosigned)
	}
	if err != nil || len(out.Forked) == 0 {
		return err
	}
	what := a.text.T("the audit log of %s has forked: with that registrar this one does not agree on what was recorded, and keeps both signed checkpoints in %s",
		strings.Join(out.Forked, ", "), filepath.Join(a.auditDir(), "seen"))
	return audit.ErrForked.Withf("%s", what)
}

func (a *app) tellCosigners(ids []string, upTo int64) error {
	if len(ids) == 0 {
		return a.note("no other registrar that you named has cosigned it: name some with --key")
	}
	for _, id := range ids {
		if err := a.note("cosigned by %s, up to %d records", id, upTo); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) verifyProof(path string, trusted []peer.ID) error {
	f, err := os.Open(path)
	if err != nil {
		return errFile.With(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, audit.MaxProof+1))
	if err != nil {
		return errFile.With(err)
	}
	proof, err := audit.ParseProof(data)
	if err != nil {
		return err
	}
	r, c, err := audit.CheckProof(proof, trusted)
	if err != nil {
		return err
	}
	by := slices.DeleteFunc(slices.Clone(c.Cosigners()), func(id peer.ID) bool { return !slices.Contains(trusted, id) })
	out := verifiedProof{r.Index, c.Size, c.Origin.String(), idTexts(by), json.RawMessage(proof.Record)}
	err = a.print(out, "record %d is in the audit log of %s, as it was with %d records:", out.Index, out.Registrar, out.Size)
	if err != nil || a.json {
		return err
	}
	if err := a.printRecord(a.out, &r); err != nil {
		return err
	}
	if len(out.Cosigners) == 0 {
		return nil
	}
	return a.tellCosigners(out.Cosigners, out.Size)
}

// idTexts writes peer IDs in full.
func idTexts(ids []peer.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	slices.Sort(out)
	return out
}
